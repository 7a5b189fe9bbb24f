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
import time
from collections.abc import Iterator

import numpy as np

import hub_image_export as hie
from hub_image_export.tensorflow_api.compat import tf
from tests.faults.outcome import Outcome, Scale
from tests.support import function_sources

KIND = "load"
_EXPORTS = {Scale.SHORT: 7, Scale.FULL: 50}
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
  """What is held after each export, and the milliseconds that it took."""
  with tempfile.TemporaryDirectory() as directory:
    temporary = os.path.join(directory, "temporary")
    os.mkdir(temporary)
    tempfile.tempdir = temporary
    for i in range(count):
      begin = time.perf_counter()
      spec = hie.make_feature_vector_module(
        _SOURCES[source](), 12, 10, arch_name="Tiny"
      )
      spec.export(os.path.join(directory, str(i)))
      seconds = time.perf_counter() - begin
      del spec
      yield {**_count(temporary), "ms": 1000 * seconds}
    tempfile.tempdir = None


def _slope(values: list[float]) -> float:
  return float(np.polyfit(range(len(values)), values, 1)[0])


def _outcome(source: str, count: int) -> Outcome:
  """Runs the exports in a process of their own."""
  begin = time.monotonic()
  process = subprocess.run(
    [sys.executable, "-m", "tests.faults.load", source, str(count)],
    cwd=_ROOT,
    env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    capture_output=True,
    text=True,
    check=True,
  )
  rows = json.loads(process.stdout)[_WARM_UP:]
  slopes = {name: _slope([row[name] for row in rows]) for name in rows[0]}
  lost = tuple(
    f"{source}: {name} grow by {slopes[name]:.3g} with each export"
    for name, limit in _LIMITS.items()
    if slopes[name] > limit + 1e-9
  )
  milliseconds = np.mean([row["ms"] for row in rows])
  return Outcome(
    f"{count} exports of a {source}",
    count,
    0 if lost else count,
    time.monotonic() - begin,
    lost,
    f"{slopes['MB']:+.3f} MB and {slopes['ms']:+.2f} ms per export of "
    f"{milliseconds:.0f} ms; {rows[-1]['graphs']} graphs, "
    f"{rows[-1]['variables']} variables, {rows[-1]['threads']} threads",
  )


def run(scale: Scale) -> Iterator[Outcome]:
  """An outcome for each source."""
  sources = list(_SOURCES)
  for source in sources[:1] if scale is Scale.SHORT else sources:
    yield _outcome(source, _EXPORTS[scale])


if __name__ == "__main__":
  json.dump(list(_exports(sys.argv[1], int(sys.argv[2]))), sys.stdout)
