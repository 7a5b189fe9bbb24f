# SPDX-License-Identifier: Apache-2.0
"""The checker against damaged and hostile modules.

A module survives if the checker comes back with findings, or the process in
which it looks at the module ends by a crash or at its limits, which is a
finding, too. It is lost if Python raises, or something outside changes.
"""

from __future__ import annotations

import concurrent.futures
import json
import os
import pathlib
import queue
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator

from tests.faults import damage, hostile_modules
from tests.faults.attempts import Attempt, Scale, Tries, of
from tests.faults.scramble import scramble

Change = Callable[[pathlib.Path], object]
_PROCESSES = 2
_SECONDS = 60.0
_COUNTS = {
  Scale.SHORT: {"bytes": 20, "structure": 20, "run": 40, "whole": 2},
  Scale.FULL: {"bytes": 1300, "structure": 1000, "run": 240, "whole": 10**6},
}
_EXPORT = (
  "import sys\n"
  "from tests.publishing import modules\n"
  "modules.spec(labels=modules.LABELS).export(sys.argv[1])\n"
)


def run(scale: Scale) -> Iterator[Attempt]:
  counts = _COUNTS[scale]
  with tempfile.TemporaryDirectory(prefix="hostile_module_") as sandbox:
    good = pathlib.Path(sandbox, "good")
    subprocess.run(
      [sys.executable, "-c", _EXPORT, str(good)], check=True, env=_environment()
    )
    for fault, change, kind, count in (
      ("bytes of a file changed, read", _bytes, "static", counts["bytes"]),
      ("graph scrambled, read", _structure, "static", counts["structure"]),
      ("graph scrambled, read and run", _structure, "run", counts["run"]),
    ):
      cases = ((f"seed {seed}", change(seed)) for seed in range(count))
      yield from of(fault, _attempts(good, cases, kind))
    yield from hostile_modules.attempts(good, counts["whole"])


def _bytes(seed: int) -> Change:
  def change(module: pathlib.Path) -> None:
    source = random.Random(seed)
    files = sorted(p for p in module.rglob("*") if p.is_file())
    # Most bytes of interest are in the graph and the checkpoint.
    names = ("saved_model.pb", "variables/variables.index")
    file = source.choice([*files, *(module / name for name in names)])
    file.write_bytes(damage.damaged(file.read_bytes(), source))

  return change


def _structure(seed: int) -> Change:
  from hub_image_export.tensorflow_api.protos import SavedModel

  def change(module: pathlib.Path) -> None:
    file = module / "saved_model.pb"
    proto = SavedModel.FromString(file.read_bytes())
    source = random.Random(seed)
    scramble(proto, source)
    data = bytearray(proto.SerializeToString(deterministic=True))
    if seed % 10 == 0:  # A name that is no UTF-8.
      data[data.find(b"Const", source.randrange(len(data)))] = 0xFF
    file.write_bytes(data)

  return change


def _environment() -> dict[str, str]:
  root = str(pathlib.Path(__file__).resolve().parents[2])
  return {**os.environ, "PYTHONPATH": root, "TF_CPP_MIN_LOG_LEVEL": "3"}


class _Worker:
  """A `module_worker`."""

  def __init__(self, kind: str):
    command = [sys.executable, "-m", "tests.faults.module_worker"]
    self._process = subprocess.Popen(
      [*command, kind, str(_SECONDS)],
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      stderr=subprocess.DEVNULL,
      text=True,
      env=_environment(),
    )

  def check(self, path: pathlib.Path) -> dict[str, object]:
    self._process.stdin.write(f"{path}\n")
    self._process.stdin.flush()
    return json.loads(self._process.stdout.readline())

  def close(self) -> None:
    self._process.stdin.close()
    self._process.wait()
    self._process.stdout.close()


def _attempts(
  good: pathlib.Path, cases: Iterable[tuple[str, Change]], kind: str
) -> Tries:
  workers: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
  for _ in range(_PROCESSES):
    workers.put(_Worker(kind))

  def one(case: tuple[str, Change]) -> tuple[str, str]:
    name, change = case
    module = pathlib.Path(tempfile.mkdtemp(dir=good.parent), "module")
    shutil.copytree(good, module)
    change(module)
    worker = workers.get()
    try:
      told = worker.check(module)
    finally:  # Else the other threads would wait for ever.
      workers.put(worker)
    shutil.rmtree(module.parent)
    return name, _problem(told)

  with concurrent.futures.ThreadPoolExecutor(_PROCESSES) as pool:
    yield from pool.map(one, cases)
  for _ in range(_PROCESSES):
    workers.get().close()


def _problem(told: dict[str, object]) -> str:
  """What was lost; a signal is none, for its process is there to be lost."""
  if told["status"] == "timeout":
    return f"took more than {_SECONDS:g} seconds"
  return "" if told["status"] != 1 else f"raised {str(told['told'])[-300:]}"
