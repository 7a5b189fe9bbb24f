# SPDX-License-Identifier: Apache-2.0
"""How far a long piece of work is: on a terminal only, never in a pipe."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any, Callable, TextIO

_SILENT_SECONDS = 2.0
_BETWEEN_SECONDS = 0.2


def shown(
  items: Iterable[Any],
  what: str,
  size: Callable[[Any], int] = lambda item: 1,
  stream: TextIO | None = None,
) -> Iterator[Any]:
  """Yields `items`, and tells which share of them is done.

  Nothing is told in the first two seconds, and the line is wiped at the end.

  Args:
    items: what is worked on.
    what: for the line that is shown ("Writing weights").
    size: of an item; the share is that of the sum of sizes.
    stream: stderr by default; nothing is written unless it is a terminal.
  """
  items = list(items)
  stream = sys.stderr if stream is None else stream
  if not stream.isatty():
    yield from items
    return
  total = sum(map(size, items)) or 1
  done, told, due = 0, "", time.monotonic() + _SILENT_SECONDS
  try:
    for item in items:
      yield item
      done += size(item)
      if time.monotonic() >= due:
        told = f"{what}: {done / total:.0%}"
        stream.write(f"\r{told}")
        stream.flush()
        due = time.monotonic() + _BETWEEN_SECONDS
  finally:
    if told:
      stream.write("\r" + " " * len(told) + "\r")
      stream.flush()


@contextlib.contextmanager
def timed(seconds: dict[str, float], name: str) -> Iterator[None]:
  """Puts into `seconds[name]` how long the block takes."""
  start = time.perf_counter()
  try:
    yield
  finally:
    seconds[name] = time.perf_counter() - start


def tell(what: str, stream: TextIO | None = None) -> None:
  """Tells what begins, where the share that is done will not be known.

  Args:
    what: begins ("Verifying the module").
    stream: as for `shown`.
  """
  stream = sys.stderr if stream is None else stream
  if stream.isatty():
    print(what, "…", file=stream, flush=True)
