# SPDX-License-Identifier: Apache-2.0
"""Seconds by phase, and memory, of the process that asks (Linux only)."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import time
from collections.abc import Iterator
from typing import Any
from unittest import mock

_KILOBYTE = 1024
TOTAL = "total"
_OTHER = "other"


class Phases:
  """Seconds by phase since this was made."""

  def __init__(self) -> None:
    self.seconds: dict[str, float] = {}
    self._start = time.perf_counter()

  @contextlib.contextmanager
  def __call__(self, name: str) -> Iterator[None]:
    """Adds what happens inside to the phase of that name."""
    start = time.perf_counter()
    try:
      yield
    finally:
      elapsed = time.perf_counter() - start
      self.seconds[name] = self.seconds.get(name, 0.0) + elapsed

  def calls_of(self, owner: Any, function: str, name: str) -> Any:
    """While this context is on, calls of `owner.function` are a phase."""
    original = getattr(owner, function)

    def timed(*args, **kwargs):
      with self(name):
        return original(*args, **kwargs)

    return mock.patch.object(owner, function, timed)

  def finish(self) -> dict[str, float]:
    """All phases, `"other"` for what is in none of them, and `"total"`."""
    total = time.perf_counter() - self._start
    other = total - sum(self.seconds.values())
    return {**self.seconds, _OTHER: other, TOTAL: total}


class Memory:
  """The peak of resident memory above what is resident now."""

  def __init__(self) -> None:
    """Gives back what is free, and lets the kernel forget the peak so far."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
      file.write("5")
    self.resident = _status("VmRSS")

  def peak(self) -> int:
    """Bytes above `resident`."""
    return _status("VmHWM") - self.resident


def _status(key: str) -> int:
  """A line of /proc/self/status in bytes."""
  with open("/proc/self/status", encoding="ascii") as file:
    lines = dict(line.split(":", 1) for line in file)
  return int(lines[key].split()[0]) * _KILOBYTE


def tell(result: dict[str, Any]) -> None:
  """Prints the one line that `processes.run` reads."""
  print(json.dumps(result), flush=True)
