# SPDX-License-Identifier: Apache-2.0
"""Exporters to one path at once, and readers while a module is replaced."""

from __future__ import annotations

import os
import pathlib
import shutil
import tempfile
import threading
from collections.abc import Iterator
from unittest import mock

from hub_image_export.files import directory_swap
from hub_image_export.files.staging import Staging
from tests.faults.attempts import Attempt, Scale, Tries, of
from tests.faults.exporters import Contents, Exporters, contents, shared

_RACERS = {Scale.SHORT: 4, Scale.FULL: 8}
_ROUNDS = {Scale.SHORT: 1, Scale.FULL: 8}
_SWAPS = {Scale.SHORT: 8, Scale.FULL: 200}
_ALL_WERE_BUSY = "at the same time"


class _Races:
  """Rounds of exporters whose modules can be told apart."""

  def __init__(
    self, exporters: Exporters, directory: pathlib.Path, racers: int
  ) -> None:
    self._exporters, self._directory = exporters, directory
    self._racers = range(racers)
    self.modules = []
    for i in range(racers):
      exporters.export(directory / str(i), value=1.0 + i)
      self.modules.append(contents(directory / str(i)))

  def rounds(self, count: int, exists: bool, job: dict) -> Tries:
    for i in range(count):
      room = pathlib.Path(tempfile.mkdtemp(dir=self._directory))
      if exists:
        shutil.copytree(self._directory / "0", room / "module")
      yield f"round {i}", self._race(room / "module", job)

  def _race(self, target: pathlib.Path, job: dict) -> str:
    """Why the round is lost; the empty string if it is not."""
    jobs = [
      {**job, "target": str(target), "value": 1.0 + i} for i in self._racers
    ]
    results = self._exporters.run(*jobs)
    winners = [i for i in self._racers if not results[i]["error"]]
    words = _ALL_WERE_BUSY if "overwrite" in job else "exists"
    for result in results:
      error = result["error"]
      refused = error and error.startswith("ExportError") and words in error
      if result["ended"] or not (refused or error is None):
        return f"{result['ended']} {error}"
    if len(winners) != 1 and "overwrite" not in job:
      return f"the exporters {winners} have won"
    if contents(target) not in [self.modules[i] for i in winners]:
      return "the module is none of those that succeeded"
    if os.listdir(target.parent) != ["module"]:
      return f"there are {os.listdir(target.parent)}"
    return ""


class _Readers:
  """Reads a module again and again while another thread replaces it."""

  def __init__(self, directory: pathlib.Path, modules: list[Contents]) -> None:
    self._directory, self._modules = directory, modules[:2]

  def reads(self, swaps: int, exchange: bool) -> Tries:
    target = self._directory / f"read_{exchange}"
    shutil.copytree(self._directory / "0", target)
    thread = threading.Thread(target=self._replace, args=(target, swaps))
    swap = directory_swap._exchange
    with mock.patch.object(
      directory_swap, "_exchange", lambda a, b: exchange and swap(a, b)
    ):
      thread.start()
      while thread.is_alive():
        what = self._read(target)
        yield what, self._judge(what, exchange)
      thread.join()

  def _replace(self, target: pathlib.Path, swaps: int) -> None:
    for i in range(swaps):
      with Staging(target, overwrite=True) as stage:
        shutil.copytree(
          self._directory / str((i + 1) % 2), stage.path, dirs_exist_ok=True
        )
        stage.commit()

  def _read(self, target: pathlib.Path) -> str:
    """Opens the directory once, and reads all its files."""
    try:
      directory = os.open(target, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
      return "absent"
    try:
      found = contents(pathlib.Path(f"/proc/self/fd/{directory}/"))
    except FileNotFoundError:
      return "gone while it was read"
    finally:
      os.close(directory)
    if found in self._modules:
      return "whole"
    missing = not any(set(found) >= set(module) for module in self._modules)
    return "gone while it was read" if missing else "mixed"

  def _judge(self, what: str, exchange: bool) -> str:
    if what == "mixed" or (what == "absent" and exchange):
      return f"the module was {what}"
    return ""


_KINDS = {
  "at once, fresh": (False, {}),
  "at once, overwrite in two renames": (
    True,
    {"overwrite": True, "two_renames": True},
  ),
  "at once, fresh, with overwrite": (False, {"overwrite": True}),
  "at once, overwrite": (True, {"overwrite": True}),
}


def run(scale: Scale) -> Iterator[Attempt]:
  """Exporters, and readers."""
  with tempfile.TemporaryDirectory() as directory:
    racers = _RACERS[scale]
    races = _Races(shared(), pathlib.Path(directory), racers)
    kinds = list(_KINDS.items())
    for name, (exists, job) in kinds[:2] if scale is Scale.SHORT else kinds:
      rounds = races.rounds(_ROUNDS[scale], exists, job)
      yield from of(f"{racers} {name}", rounds)
    readers = _Readers(pathlib.Path(directory), races.modules)
    for name, exchange in (
      ("read while it is exchanged", True),
      ("read while it is replaced in two renames", False),
    ):
      yield from of(name, readers.reads(_SWAPS[scale], exchange))
