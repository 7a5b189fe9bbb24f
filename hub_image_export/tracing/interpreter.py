"""Room on Python's call stack.

Since 3.11 the interpreter keeps the frames of calls in chunks of 16 KB. A call
at the end of a chunk maps a new one into memory, its return unmaps it: where
that happens to be a call that tracing makes for each op, tracing takes some
40 % longer (docs/benchmarks.md). Where that is depends on how deep the caller
is; notebooks and test runners are deep.
(https://github.com/python/cpython/issues/142183; cured in the latest releases
of 3.13 and 3.14.)
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeVar

from hub_image_export.tensorflow_api import private

Function = TypeVar("Function", bound=Callable)

# A frame of 160 KB does not fit into what any chunk has left. The interpreter
# makes a chunk of the next power of two, 256 KB, in which some 200 calls fit;
# pages that nothing touches cost nothing.
_SLOTS = 20_000


def with_room(function: Function) -> Function:
  """Makes all calls below `function` fit into one chunk of the stack."""

  def call(*args, **kwargs):
    return function(*args, **kwargs)

  private.reserve_stack(call, _SLOTS)
  return functools.wraps(function)(call)
