# SPDX-License-Identifier: Apache-2.0
"""Many exports in one process: is anything kept that could be let go?

Each model is built anew, exported with verification, and let go. What is
counted after each export, and in which limits it has to stay, is in `_LIMITS`.
"""

from __future__ import annotations

import gc
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import numpy as np

import hub_image_export as hie
from hub_image_export.tensorflow_api.compat import tf
from tests.faults.attempts import Attempt, Scale
from tests.support import function_sources

# Memory is given back in lumps: a few exports say nothing of its growth.
_EXPORTS = {Scale.SHORT: 24, Scale.FULL: 50}
_WARM_UP = 4
# From what is counted to how much of it each further export may add.
_LIMITS = {
  "graphs": 0.0,
  "variables": 0.0,
  "threads": 0.0,
  "open files": 0.0,
  "temporary files": 0.0,
  "MB": 1.0,
}
_ROOT = pathlib.Path(__file__).resolve().parents[2]


def _keras_model():
  layers = tf.keras.layers
  return tf.keras.Sequential(
    [
      tf.keras.Input((12, 10, 3)),
      layers.Conv2D(8, 3),
      layers.BatchNormalization(),
      layers.ReLU(),
      layers.GlobalAveragePooling2D(),
    ]
  )


_SOURCES = {
  "Keras model": _keras_model,
  "TF1 function": lambda: function_sources.tf1_function,
}


def _count(temporary: str) -> dict[str, float]:
  """What this process holds, after all that can be let go is."""
  gc.collect()
  objects = gc.get_objects()
  with open("/proc/self/statm") as file:
    pages = int(file.read().split()[1])
  return {
    "graphs": sum(isinstance(o, tf.Graph) for o in objects),
    "variables": sum(isinstance(o, tf.Variable) for o in objects),
    "threads": len(os.listdir("/proc/self/task")),
    "open files": len(os.listdir("/proc/self/fd")),
    "temporary files": len(os.listdir(temporary)),
    "MB": pages * resource.getpagesize() / 1e6,
  }


def _exports(source: str, count: int) -> Iterator[dict[str, float]]:
  """What is held after each export."""
  with tempfile.TemporaryDirectory() as directory:
    temporary = os.path.join(directory, "temporary")
    os.mkdir(temporary)
    tempfile.tempdir = temporary
    for i in range(count):
      spec = hie.make_feature_vector_module(
        _SOURCES[source](), 12, 10, arch_name="Tiny"
      )
      spec.export(os.path.join(directory, str(i)))
      del spec
      yield _count(temporary)
    tempfile.tempdir = None


def _slope(values: list[float]) -> float:
  return float(np.polyfit(range(len(values)), values, 1)[0])


def _grows(source: str, count: int) -> str:
  """What grows with each export, which run in a process of their own."""
  process = subprocess.run(
    [sys.executable, "-m", "tests.faults.load", source, str(count)],
    cwd=_ROOT,
    env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    capture_output=True,
    text=True,
    check=True,
  )
  rows = json.loads(process.stdout)[_WARM_UP:]
  slopes = {name: _slope([row[name] for row in rows]) for name in _LIMITS}
  grown = {k: v for k, v in slopes.items() if v > _LIMITS[k] + 1e-9}
  return f"each export adds {grown}" if grown else ""


def run(scale: Scale) -> Iterator[Attempt]:
  """Exports of each source."""
  sources = list(_SOURCES)
  for source in sources[:1] if scale is Scale.SHORT else sources:
    count = _EXPORTS[scale]
    yield f"{count} exports", f"of a {source}", _grows(source, count)


if __name__ == "__main__":
  json.dump(list(_exports(sys.argv[1], int(sys.argv[2]))), sys.stdout)
