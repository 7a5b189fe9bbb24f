# SPDX-License-Identifier: Apache-2.0
"""Counts what a process does, and lets it signal itself at a given count.

What counts: each event that Python's audit hooks tell of files (`open`,
`os.rename`, `shutil.rmtree`, …), each call of a function of the package, and
each line of the files that put a module into place.
"""

from __future__ import annotations

import os
import signal
import sys

_FILE_EVENTS = ("open", "os.", "shutil.", "fcntl.", "ctypes.dlsym")
_LINE_BY_LINE = ("staging.py", "staging_directory.py", "directory_swap.py")
_PACKAGE = f"{os.sep}hub_image_export{os.sep}"


class Interruptions:
  """Counts; sends the signal at the counts given.

  Attributes:
    kinds: a character for each count: `l` a line of the files above, `c` a
      call of another function of the package, `f` a file event.
    fired: how many signals were sent.
  """

  def __init__(self, number: int = 0, counts: tuple[int, ...] = ()) -> None:
    self.kinds: list[str] = []
    self.fired = 0
    self._number, self._counts = number, set(counts)
    self._on = False

  def __enter__(self) -> Interruptions:
    sys.addaudithook(self._audit)  # For good: it is of no use afterwards.
    self._on = True
    sys.settrace(self._trace)
    return self

  def __exit__(self, kind, error, traceback) -> None:
    self._on = False
    sys.settrace(None)

  def _tick(self, kind: str) -> None:
    if not self._on:
      return
    self.kinds.append(kind)
    if len(self.kinds) in self._counts:
      self.fired += 1
      signal.raise_signal(self._number)

  def _audit(self, event: str, arguments: tuple) -> None:
    if event.startswith(_FILE_EVENTS):
      self._tick("f")

  def _trace(self, frame, event, argument):
    path = frame.f_code.co_filename
    if _PACKAGE not in path:
      return None
    if path.endswith(_LINE_BY_LINE):
      return self._trace_line
    self._tick("c")
    return None

  def _trace_line(self, frame, event, argument):
    if event == "line":
      self._tick("l")
    return self._trace_line
