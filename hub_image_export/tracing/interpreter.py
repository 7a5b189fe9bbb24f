# SPDX-License-Identifier: Apache-2.0
"""Two costs of CPython that tracing meets, and how it avoids them.

Each says with which release of Python it goes. Both are measured in
docs/benchmarks.md.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from hub_image_export.tensorflow_api import private

Function = TypeVar("Function", bound=Callable[..., Any])

# A frame of 160 KB does not fit into what any chunk has left. The interpreter
# makes a chunk of the next power of two, 256 KB, in which some 200 calls fit;
# pages that nothing touches cost nothing.
_SLOTS = 20_000
_NEVER = 2**31 - 1


def with_room(function: Function) -> Function:
  """Makes all calls below `function` fit into one chunk of the call stack.

  Since 3.11 the interpreter keeps the frames of calls in chunks of 16 KB. A
  call at the end of a chunk maps a new one into memory, its return unmaps it:
  where that happens to be a call that tracing makes for each op, tracing takes
  some 40 % longer. Where that is depends on how deep the caller is; notebooks
  and test runners are deep. Goes with Python 3.12, the last release without
  the cure of https://github.com/python/cpython/issues/142183 (3.13, 3.14).
  """

  def call(*args: Any, **kwargs: Any) -> Any:
    return function(*args, **kwargs)

  private.reserve_stack(call, _SLOTS)
  return functools.wraps(function)(call)  # type: ignore[return-value]


class _Collector:
  """The thresholds of Python's garbage collector, which threads share."""

  def __init__(self) -> None:
    self._lock = threading.Lock()
    self._users = 0
    self._thresholds = gc.get_threshold()

  def pause(self) -> None:
    with self._lock:
      if not self._users:
        self._thresholds = gc.get_threshold()
        gc.set_threshold(*self._thresholds[:2], _NEVER)
      self._users += 1

  def go_on(self) -> None:
    with self._lock:
      self._users -= 1
      if not self._users:
        gc.set_threshold(*self._thresholds)


_collector = _Collector()


@contextlib.contextmanager
def full_collections_paused() -> Iterator[None]:
  """Lets the garbage collector look at young objects only, inside the context.

  A traced network is some 100,000 new objects that all stay: full collections,
  which walk all of TensorFlow, begin because of them and find nothing. Young
  garbage is still collected: its memory is used again, while it is in the
  processor's caches. When the last thread leaves, all is as it was. Goes when
  no supported Python has a third generation with a threshold of its own.
  """
  _collector.pause()
  try:
    yield
  finally:
    _collector.go_on()
