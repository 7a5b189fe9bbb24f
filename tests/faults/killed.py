# SPDX-License-Identifier: Apache-2.0
"""Signals at points that are spread over an export.

Each exporter is a process of its own. Its target is the old module, the new
one, or absent if there was none; a retry succeeds; and then nothing is left
but the module, what a living exporter is still writing, and what an export to
another target left.
"""

from __future__ import annotations

import itertools
import os
import pathlib
import shutil
import signal
import tempfile
from collections.abc import Iterator

from hub_image_export.errors import ExportError
from hub_image_export.files.staging import Staging
from hub_image_export.files.staging_directory import StagingDirectory
from tests.faults.attempts import Attempt, Scale, Tries, of
from tests.faults.exporter_process import make_spec
from tests.faults.exporters import (
  Contents,
  Exporters,
  Modules,
  contents,
  shared,
)

_SIGNALS = {
  "SIGKILL": {"signal": signal.SIGKILL},
  "SIGTERM": {"signal": signal.SIGTERM},
  "SIGTERM to the script": {"signal": signal.SIGTERM, "script": True},
  "SIGINT": {"signal": signal.SIGINT},
  "SIGINT twice": {"signal": signal.SIGINT, "again": True},
}
_RAISED = ("KeyboardInterrupt", "_Terminated")
# With the number of points for each signal.
_PLACES = {
  "fresh": ({}, 52),
  "overwrite": ({"overwrite": True}, 52),
  "overwrite in two renames": ({"overwrite": True, "two_renames": True}, 28),
}


class _Killer:
  """Interrupts exports, and judges what is there afterwards."""

  def __init__(self, exporters: Exporters, directory: pathlib.Path) -> None:
    self._exporters = exporters
    self._modules = Modules(exporters, directory)
    self._retry = make_spec(2.0)

  def measure(self, place: dict) -> tuple[str, float]:
    """What an export that nobody interrupts counts, and its seconds."""
    room = self._modules.room(old="overwrite" in place)
    target = room / "module"
    found = self._exporters.export(target, counts=[], **place)
    # Without counting, for the delays.
    seconds = self._exporters.export(target, overwrite=True)["seconds"]
    shutil.rmtree(room)
    return found["kinds"], seconds

  def interrupt(self, job: dict) -> tuple[bool, str]:
    """Returns whether a signal was sent, and why the fault is lost if it is."""
    room = self._modules.room(old="overwrite" in job)
    target = room / "module"
    living, other = (
      StagingDirectory(str(path)) for path in (target, room / "module2")
    )
    living.make()
    other.make()
    other._unlock()
    planted = {os.path.basename(d.path) for d in (living, other)}
    (result,) = self._exporters.run({"target": str(target), **job})
    why = self._judge(target, job, planted)
    living.remove()
    shutil.rmtree(room)
    return _is_sent(result), why

  def _judge(self, target: pathlib.Path, job: dict, planted: set[str]) -> str:
    """Why an export is lost; the empty string if it is not."""
    found = contents(target)
    if found is None and "two_renames" in job:
      found = self._put_back(target)
    if found not in (self._modules.new, self._before(job)):
      return f"the target has {sorted(found or ())}: neither old nor new"
    try:
      self._retry.export(target, overwrite=found is not None)
    except ExportError as error:
      return f"the retry failed: {error}"
    if contents(target) != self._modules.new:
      return "the retry gave another module"
    left = set(os.listdir(target.parent))
    if left != planted | {"module"}:
      return f"after the retry there are {sorted(left)}"
    return ""

  def _before(self, job: dict) -> Contents | None:
    return self._modules.old if "overwrite" in job else None

  def _put_back(self, target: pathlib.Path) -> Contents | None:
    """What is there when the next export has looked after the target."""
    try:
      Staging(target)
    except ExportError:
      return contents(target)
    return None


def _is_sent(result: dict) -> bool:
  """Whether the signal came before the export was done."""
  error = result["error"] or ""
  return bool(result["fired"]) or error.startswith(_RAISED)


def _points(kinds: str, seconds: float, count: int) -> Iterator[dict]:
  """Where to send a signal: `count` points of three sorts.

  Half of them are spread over all that is counted, a quarter over the lines
  that put the module into place, and a quarter over the time, which reaches
  the midst of TensorFlow's own writers.
  """
  lines = [i + 1 for i, kind in enumerate(kinds) if kind == "l"]
  in_time = max(count // 4, 1)
  in_lines = max(count // 4, 1)
  anywhere = count - in_time - in_lines
  for i in range(anywhere):
    yield {"counts": [1 + int(len(kinds) * (i + 0.5) / anywhere)]}
  for i in range(in_lines):
    yield {"counts": [lines[int(len(lines) * (i + 0.5) / in_lines)]]}
  for i in range(in_time):
    yield {"delay": seconds * (i + 0.5) / in_time}


def _interrupt_twice(point: dict, index: int) -> dict:
  """The second signal comes while the first one is being cleaned up."""
  counts = point.get("counts")
  return (
    {"counts": [counts[0], counts[0] + 1 + index % 24]} if counts else point
  )


def _faults(
  scale: Scale, measured: tuple[str, float], count: int, turn: int
) -> list[tuple[int, dict]]:
  """Points with their numbers: all, or one, another in each turn."""
  points = list(enumerate(_points(*measured, count)))
  return points if scale is Scale.FULL else [points[7 * turn % count]]


def run(scale: Scale) -> Iterator[Attempt]:
  """Each signal, for each sort of target."""
  turns = itertools.count()
  with tempfile.TemporaryDirectory() as directory:
    killer = _Killer(shared(), pathlib.Path(directory))
    for place, (options, count) in _PLACES.items():
      measured = killer.measure(options)
      for name, how in _SIGNALS.items():
        points = _faults(scale, measured, count, next(turns))
        job = {**options, **how}
        yield from of(f"{name}, {place}", _attempts(killer, job, points))


def _attempts(
  killer: _Killer, job: dict, points: list[tuple[int, dict]]
) -> Tries:
  """Sends the signals; those that came too late do not count."""
  for i, point in points:
    if "again" in job:
      point = _interrupt_twice(point, i)
    sent, why = killer.interrupt({**job, **point})
    if sent or why:
      yield str(point), why
