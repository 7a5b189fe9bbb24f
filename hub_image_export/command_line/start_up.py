# SPDX-License-Identifier: Apache-2.0
"""Keeps off the screen what libraries say of their own start.

From TensorFlow 2.16 on its own write to file descriptor 2 before they look at
TF_CPP_MIN_LOG_LEVEL. Java does so, too, of options that Spark gives it.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence

_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
# "I0000 00:00:17… port.cc:153] oneDNN …", "2026-11-26 01:02:03.4: I tensor…".
_LEVELS = rb"^(?:[%s]\d{4} [\d:.]+ |\d{4}-\d\d-\d\d [\d:.]+ [%s] )"
_NOTICE = rb"^WARNING: All log messages before absl"
# These are errors to their writers only, on each machine with a GPU, and on
# each without a driver.
_NO_ERROR = (
  (_LEVELS % (b"E", b"E"))
  + rb".*(?:Unable to register cu(?:FFT|DNN|BLAS) factory"
  + rb"|failed call to cuInit: .*UNKNOWN ERROR \(303\))"
)
_OF_JAVA = (
  rb"^WARNING: (?:package [\w.]+ not in java\.base|Using incubator modules: )"
)
_LINE_ENDS = re.compile(rb"(?<=[\r\n])")
_BEGINNINGS = b"IWE2"  # Of what is dropped.
_SECONDS = 1.0


def quietly(
  main: Callable[[Sequence[str]], int],
) -> Callable[[Sequence[str]], int]:
  """A `main` that runs `without_chatter`."""

  def quiet_main(argv: Sequence[str]) -> int:
    with without_chatter():
      return main(argv)

  return quiet_main


@contextlib.contextmanager
def without_chatter() -> Iterator[None]:
  """Lets no line of those through, and every other one.

  A process of its own looks at the lines: it outlives a crash, whose reason
  is then told. Which lines: those below warnings and warnings themselves, or
  what TF_CPP_MIN_LOG_LEVEL says; errors never.
  """
  level = os.environ.setdefault(_LEVEL, "3")
  letters = b"IW"[: int(level)] if level.isdigit() else b"IW"
  if not letters or not hasattr(os, "fork"):
    yield
    return
  patterns = [_LEVELS % (letters, letters), _NOTICE, _NO_ERROR, _OF_JAVA]
  dropped = re.compile(b"|".join(patterns))
  sys.stderr.flush()
  screen, own = os.dup(2), sys.stderr
  source, target = os.pipe()
  child = os.fork()
  if child == 0:
    _copy(source, screen, dropped, also_close=(0, 1, 2, target))
  os.close(source)
  os.dup2(target, 2)
  os.close(target)
  # Python's own lines take no way around.
  sys.stderr = os.fdopen(os.dup(screen), "w", buffering=1, errors="replace")
  try:
    yield
  finally:
    sys.stderr = own
    os.dup2(screen, 2)
    os.close(screen)
    _wait(child)


def _copy(
  source: int, screen: int, dropped: re.Pattern[bytes], also_close: tuple
) -> None:
  """The other process: it ends when nobody can write to `source` any more."""
  import signal

  signal.signal(signal.SIGINT, signal.SIG_IGN)
  for number in also_close:
    os.close(number)
  rest = b""
  try:
    while text := os.read(source, 2**16):
      *lines, rest = _LINE_ENDS.split(rest + text)
      # Bars of progress have no end of a line, nor such a beginning.
      if rest[:1] not in _BEGINNINGS:
        lines, rest = [*lines, rest], b""
      for line in lines:
        if not dropped.match(line):
          os.write(screen, line)
  finally:
    os.write(screen, rest)
    os._exit(0)


def _wait(child: int) -> None:
  """Until all is told; what the user's code has started may go on longer."""
  end = time.monotonic() + _SECONDS
  while os.waitpid(child, os.WNOHANG)[0] == 0 and time.monotonic() < end:
    time.sleep(0.01)
