# SPDX-License-Identifier: Apache-2.0
"""Fused batch normalization in training, as TensorFlow 1.15 computes it."""

from __future__ import annotations

import numpy as np

from hub_image_export.graph.portability.substitution import (
  Substitution,
  attrs_of,
  rewrite_of,
)
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import NodeDef

_FACTOR = "exponential_avg_factor"
_NUM_OUTPUTS = 6
# Index of the input with the old average, by that of the output with the new.
_OLD_AVERAGE = {1: 3, 2: 4}


@rewrite_of("FusedBatchNormV3")
def average_outside_batch_norm(node: NodeDef, new: Substitution) -> None:
  """Computes the moving averages of fused batch norm with plain ops.

  Keras 2 lets `FusedBatchNormV3` update them, with `exponential_avg_factor`
  other than 1. TF 1.15 has no such attribute; it gives the mean and variance
  of the batch, and demands that the old ones are not given: "estimated_mean
  must be empty for training".
  """
  if not node.attr["is_training"].b:
    return
  factor = node.attr[_FACTOR].f if _FACTOR in node.attr else 1.0
  if factor == 1.0 and new.input_shape(3) == [0]:
    return
  empty = new.constant([], np.float32)
  attrs = attrs_of(node, "T", "U", "epsilon", "is_training", "data_format")
  inner = new.add(node.op, [*node.input[:3], empty, empty], **attrs)
  for i in range(1, _NUM_OUTPUTS):
    batch = f"{inner}:{i}"
    if i in _OLD_AVERAGE and factor != 1.0:
      old = node.input[_OLD_AVERAGE[i]]
      batch = _moving_average(new, old, batch, factor)
    new.redirected[f"{node.name}:{i}"] = batch
  new.finish("Identity", [inner], **attrs_of(node, "T"))


def _moving_average(
  new: Substitution, old: str, batch: str, factor: float
) -> str:
  """Adds `old * (1 - factor) + batch * factor`, all float32."""
  parts = [
    new.add("Mul", [x, new.constant(share, np.float32)], T=tf.float32)
    for x, share in ((old, 1.0 - factor), (batch, factor))
  ]
  return new.add("AddV2", parts, T=tf.float32)
