# SPDX-License-Identifier: Apache-2.0
"""Work for Python in a process of its own, on another core.

Threads would not do: they take turns in Python.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable


def begin(work: Callable[[], str]) -> Callable[[], str]:
  """Starts `work`, which gives a short text; what is returned waits for it.

  It is done at once, and here, where this process cannot be forked: elsewhere
  than on Linux, and where it has threads, whose locks would never open. If it
  ends its process, this one ends in the same way.
  """
  if not _has_no_threads():
    text = work()
    return lambda: text
  reading, writing = os.pipe()
  child = os.fork()
  if not child:
    status = 1
    try:
      os.write(writing, work().encode())
      status = 0
    finally:
      os._exit(status)
  os.close(writing)

  def wait() -> str:
    with os.fdopen(reading, encoding="utf-8") as pipe:
      text = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status < 0:
      os.kill(os.getpid(), -status)
      signal.pause()
    if status:
      os._exit(status)
    return text

  return wait


def _has_no_threads() -> bool:
  if not sys.platform.startswith("linux"):
    return False
  return len(os.listdir("/proc/self/task")) == 1
