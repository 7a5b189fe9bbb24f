# SPDX-License-Identifier: Apache-2.0
"""A reusable SavedModel against what else TF2 has: time, bytes, throughput.

  python -m benchmarks.reusable [--models=MobileNetV2,EfficientNetB0] \\
      [--rounds=5]
  python -m benchmarks.reusable --model=MobileNetV2 --way=ours   # one process

Each way has a fresh process; the ways take turns, and medians are printed, as a
table. Seconds, on the clock and of the processors, count from when the Keras
model is ready; ours include the builder, `export_saved_model(verify=False)` and
the flush to the disk, which the others do not wait for. Throughput is of the
object that was loaded again, over that of the model's own `tf.function`.

The model "Grouped" has grouped convolutions, which "split" computes group by
group. They are whole where TF_ENABLE_ONEDNN_OPTS=1 is in the environment.
"""

from __future__ import annotations

import argparse
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import measure, models, processes
from hub_image_export.export import builders
from hub_image_export.tensorflow_api.compat import tf

_ROUNDS, _CALLS = 5, 4


def _ours(**options: Any) -> Callable[..., None]:
  def export(model: Any, case: models.Case, path: str) -> None:
    spec = builders.make_feature_vector_module(model, case.size, case.size)
    spec.export_saved_model(path, **options)

  return export


WAYS: dict[str, Callable[..., None]] = {
  "ours": _ours(verify=False),
  "verified": _ours(),
  "split": _ours(verify=False, split_groups=True),
  "saved_model.save": lambda model, _, path: tf.saved_model.save(model, path),
  "model.export": lambda model, _, path: model.export(path),
}


def once(model_name: str, way: str) -> dict[str, Any]:
  """Exports in one way; for ours, measures throughput, too."""
  case = models.CASES[model_name]
  model = case.build()
  with tempfile.TemporaryDirectory() as directory:
    path = f"{directory}/module"
    start, cpu = time.perf_counter(), time.process_time()
    WAYS[way](model, case, path)
    found: dict[str, Any] = {
      "seconds": time.perf_counter() - start,
      "cpu": time.process_time() - cpu,
    }
    files = [p for p in pathlib.Path(path).rglob("*") if p.is_file()]
    found["bytes"] = sum(file.stat().st_size for file in files)
    if way in ("ours", "split"):
      found.update(_throughput(model, case, tf.saved_model.load(path)))
  return found


def _throughput(model: Any, case: models.Case, loaded: Any) -> dict[str, float]:
  """Of inference and of gradients in training, over the model's own."""
  images = tf.constant(case.images())

  def gradients(call: Any, variables: list[Any]) -> Callable[[], Any]:
    @tf.function
    def step() -> Any:
      with tf.GradientTape() as tape:
        total = tf.reduce_sum(call(images, training=True))
      return tape.gradient(total, variables)

    return step

  plain = tf.function(lambda: model(images, training=False))
  watched = [getattr(v, "value", v) for v in model.trainable_variables]
  if not hasattr(model.trainable_variables[0], "path"):
    watched = model.trainable_variables
  return {
    "inference": _ratio(
      tf.function(lambda: loaded(images, training=False)), plain
    ),
    "training": _ratio(
      gradients(loaded, list(loaded.trainable_variables)),
      gradients(model, watched),
    ),
  }


def _ratio(first: Callable[[], Any], second: Callable[[], Any]) -> float:
  """How often as fast the first is: the median over rounds that take turns."""
  ratios = []
  for each in (first, second):
    each()
  for _ in range(_ROUNDS):
    seconds = []
    for each in (first, second):
      start = time.perf_counter()
      for _ in range(_CALLS):
        tf.nest.map_structure(np.asarray, each())
      seconds.append(time.perf_counter() - start)
    ratios.append(seconds[1] / seconds[0])
  return float(np.median(ratios))


def _measured(model: str, rounds: int) -> list[dict[str, Any]]:
  """The medians over the rounds, for each way."""
  ways = [way for way in WAYS if way != "split" or model == "Grouped"]
  found: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
  for _ in range(rounds):
    for way, results in found.items():
      run = processes.run("benchmarks.reusable", model=model, way=way)
      results.append(run)
  return [
    {
      "model": model,
      "way": way,
      **{k: statistics.median(r[k] for r in results) for k in results[0]},
    }
    for way, results in found.items()
  ]


_COLUMNS = ("model", "way", "seconds", "cpu", "bytes", "inference", "training")


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--models", default="MobileNetV2,EfficientNetB0")
  parser.add_argument("--rounds", type=int, default=3)
  parser.add_argument("--model", choices=models.CASES)
  parser.add_argument("--way", choices=WAYS)
  flags = parser.parse_args()
  if flags.model:
    measure.tell(once(flags.model, flags.way))
    return
  print("|".join(["", *_COLUMNS, ""]))
  print("|".join(["", *["---"] * len(_COLUMNS), ""]), flush=True)
  for model in flags.models.split(","):
    for row in _measured(model, flags.rounds):
      cells = [row.get(column, "") for column in _COLUMNS]
      cells = [f"{c:.3g}" if isinstance(c, float) else f"{c}" for c in cells]
      print("|".join(["", *cells, ""]), flush=True)


if __name__ == "__main__":
  main()
