# SPDX-License-Identifier: Apache-2.0
"""What the scripts take as a user sees it: whole processes, and their children.

python -m benchmarks.whole --rounds=3      # prints one line of JSON

Each is measured in wall seconds and in those of CPU, user's and system's. What
they are held against takes turns with them: to import TensorFlow and
tensorflow_hub, and to import TensorFlow, build the same model and call Keras'
own `model.export()`.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import tempfile
import time
from typing import Any

from benchmarks import measure, processes, startup

MODEL = "MobileNetV2"
MANY = 20
CHECK, CHECK_ONE, CHECK_MANY = "check", "check one", f"check {MANY}"
EXPORT, EXPORT_KERAS = "export_module", "model.export"
# With Keras 2, `model.export` is there since 2.13.
_KERAS = f"""
import sys, tensorflow as tf
model = tf.keras.applications.{MODEL}(
  weights=None, include_top=False, pooling="avg", input_shape=(224, 224, 3)
)
model.export(sys.argv[1])
"""
# A module of one small layer, as most of a hub's folder may be.
_TINY = """
import sys
from benchmarks import models
import hub_image_export as hie
case = models.CASES["Tiny"]
spec = hie.make_feature_vector_module(case.build(), case.size, case.size)
for path in sys.argv[1:]:
  spec.export(path, verify=False)
"""
_SCRIPT = "hub_image_export.command_line.check_module"


def run(rounds: int) -> list[dict[str, Any]]:
  """A row for each process: what it is, seconds of wall and of CPU."""
  rows = []
  with tempfile.TemporaryDirectory() as directory:
    folder = pathlib.Path(directory)
    module = str(folder / MODEL)
    processes.run_python(*_export(module))
    tiny = [str(folder / f"tiny{number}") for number in range(MANY)]
    processes.run_python("-c", _TINY, *tiny)
    for number in range(rounds):
      for what, arguments in {
        startup.BASELINE: ["-c", startup.IMPORTS[startup.BASELINE]],
        CHECK: ["-m", _SCRIPT, module],
        CHECK_ONE: ["-m", _SCRIPT, tiny[0]],
        CHECK_MANY: ["-m", _SCRIPT, "--jobs=2", *tiny],
        EXPORT: _export(str(folder / f"ours{number}")),
        EXPORT_KERAS: ["-c", _KERAS, str(folder / f"keras{number}")],
      }.items():
        rows.append({"what": what, "round": number, **_seconds(*arguments)})
  return rows


def _export(path: str) -> list[str]:
  flags = [f"--model={MODEL}", "--weights=random", f"--export_path={path}"]
  return ["-m", "hub_image_export.export_module", *flags]


def _seconds(*arguments: str) -> dict[str, float]:
  start, before = time.perf_counter(), os.times()
  processes.run_python(*arguments)
  after = os.times()
  cpu = (after.children_user - before.children_user) + (
    after.children_system - before.children_system
  )
  return {"seconds": time.perf_counter() - start, "cpu": cpu}


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--rounds", type=int, default=3)
  measure.tell({"whole": run(parser.parse_args().rounds)})


if __name__ == "__main__":
  main()
