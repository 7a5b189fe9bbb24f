"""Fused batch normalization in training, as TensorFlow 1.15 computes it."""

from __future__ import annotations

import numpy as np

from hub_image_export.graph.portability.substitution import (
  Substitution,
  attrs_of,
  substitute,
)
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import GraphDef, NodeDef

_OP = "FusedBatchNormV3"
_FACTOR = "exponential_avg_factor"
_NUM_OUTPUTS = 6
# Index of the input with the old average, by that of the output with the new.
_OLD_AVERAGE = {1: 3, 2: 4}


class _AverageOutside:
  """The rewrite of one graph, whose batch norms share their constants."""

  def __init__(self) -> None:
    self._constants: dict[tuple, str] = {}

  def __call__(self, node: NodeDef, new: Substitution) -> None:
    if not node.attr["is_training"].b:
      return
    factor = node.attr[_FACTOR].f if _FACTOR in node.attr else 1.0
    if factor == 1.0 and new.input_shape(3) == [0]:
      return
    empty = self._constant(new)
    attrs = attrs_of(node, "T", "U", "epsilon", "is_training", "data_format")
    inner = new.add(_OP, [*node.input[:3], empty, empty], **attrs)
    for i in range(1, _NUM_OUTPUTS):
      batch = f"{inner}:{i}"
      if i in _OLD_AVERAGE and factor != 1.0:
        old = node.input[_OLD_AVERAGE[i]]
        batch = self._moving_average(new, old, batch, factor)
      new.redirected[f"{node.name}:{i}"] = batch
    new.finish("Identity", [inner], **attrs_of(node, "T"))

  def _moving_average(
    self, new: Substitution, old: str, batch: str, factor: float
  ) -> str:
    """Adds `old * (1 - factor) + batch * factor`, all float32."""
    t = {"T": tf.float32}
    kept = new.add("Mul", [old, self._constant(new, 1.0 - factor)], **t)
    taken = new.add("Mul", [batch, self._constant(new, factor)], **t)
    return new.add("AddV2", [kept, taken], **t)

  def _constant(self, new: Substitution, *value: float) -> str:
    """A scalar, or an empty vector where no value is given."""
    if value not in self._constants:
      self._constants[value] = new.constant(*value or [[]], np.float32)
    return self._constants[value]


def average_outside_batch_norm(graph_def: GraphDef) -> int:
  """Computes the moving averages of fused batch norm with plain ops.

  Keras 2 lets `FusedBatchNormV3` update them, with `exponential_avg_factor`
  other than 1. TF 1.15 has no such attribute; it gives the mean and variance
  of the batch, and demands that the old ones are not given: "estimated_mean
  must be empty for training".
  """
  return substitute(graph_def, (_OP,), _AverageOutside())
