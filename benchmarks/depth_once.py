# SPDX-License-Identifier: Apache-2.0
"""Traces a model from functions that call each other, to different depths.

python -m benchmarks.depth_once

A notebook or a test runner has some 30 to 50 calls on its stack before it
comes to a user's code.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

from benchmarks import measure, models, ways
from hub_image_export.export import builders
from hub_image_export.tensorflow_api.compat import tf

_MODEL = "MobileNetV2"
_DEPTHS = (0, 20, 40, 60, 80, 100)


def run() -> list[dict[str, Any]]:
  """Seconds of tracing both variants, by way and depth."""
  case = models.CASES[_MODEL]
  model = case.build()
  functions = {
    "plain": lambda: ways.trace_both(model, case),
    "ours": lambda: builders.make_feature_vector_module(
      model, case.size, case.size
    ),
  }
  for function in functions.values():
    function()  # What only the first call has to do.
  return [
    {
      "depth": depth,
      "way": way,
      "seconds": _seconds_of_tracing(depth, function),
    }
    for depth in _DEPTHS
    for way, function in functions.items()
  ]


def _seconds_of_tracing(depth: int, function: Callable[[], Any]) -> float:
  gc.collect()
  phases = measure.Phases()
  with phases.calls_of(tf.compat.v1, "wrap_function", "wrap"):
    _below(depth, function)
  return phases.seconds["wrap"]


def _below(depth: int, function: Callable[[], Any]) -> None:
  if depth:
    _below(depth - 1, function)
  else:
    function()


if __name__ == "__main__":
  measure.tell({"rows": run()})
