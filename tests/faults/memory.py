# SPDX-License-Identifier: Apache-2.0
"""Limits on the memory that an exporter may take once its module is built.

Much of the memory is taken by TensorFlow's C++ code, and some by the dynamic
loader, which end the process where they get none. That counts as a kill: the
target is whole, and a retry with memory enough succeeds.
"""

from __future__ import annotations

import os
import pathlib
import tempfile
from collections.abc import Iterator

from tests.faults.attempts import Attempt, Scale
from tests.faults.exporters import Modules, contents, shared

# Weights of 8 MB, which are in memory several times while they are verified.
_SIZE = 2_000_000
_LIMITS = {
  Scale.SHORT: (6_000_000,),
  Scale.FULL: tuple(range(0, 40_000_000, 2_000_000)),
}


def _limited(modules: Modules, limit: int, overwrite: bool) -> str:
  """Why an export with so many bytes is lost; an empty string if it is not."""
  room = modules.room(old=overwrite)
  target = room / "module"
  before = contents(target)
  result = modules.export(target, overwrite=overwrite, memory=limit)
  end = _end(result)
  if not end:
    return f"{result['ended']} {result['error']}"
  if contents(target) != (modules.new if end == "had enough" else before):
    return f"{end}, and the target is not as it has to be"
  if end == "told" and os.listdir(room) != ["module"] * overwrite:
    return f"left behind: {os.listdir(room)}"
  modules.export(target, overwrite=True)
  if contents(target) != modules.new or os.listdir(room) != ["module"]:
    return f"after the retry there are {os.listdir(room)}"
  return ""


def _end(result: dict) -> str:
  """How an export ended; the empty string if in no way that is expected."""
  error = result["error"] or ""
  if result["ended"]:
    return "ended by TensorFlow or the system"
  if not error:
    return "had enough"
  clear = error.startswith(("ExportError", "VerificationError", "WeightsError"))
  return "told" if clear and ("memory" in error or "OOM" in error) else ""


def run(scale: Scale) -> Iterator[Attempt]:
  """New modules, and those that are overwritten."""
  with tempfile.TemporaryDirectory() as directory:
    modules = Modules(shared(), pathlib.Path(directory), size=_SIZE)
    for overwrite, kind in ((False, "fresh"), (True, "overwrite")):
      for limit in _LIMITS[scale]:
        lost = _limited(modules, limit, overwrite)
        yield f"too little memory, {kind}", f"{limit} bytes", lost
