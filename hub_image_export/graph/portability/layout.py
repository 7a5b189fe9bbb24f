# SPDX-License-Identifier: Apache-2.0
"""Channels-first computation, which TensorFlow 1.15 has for GPUs only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hub_image_export.graph.portability.substitution import (
  Substitution,
  rewrite_of,
)
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import NodeDef

_TO_NHWC = (0, 2, 3, 1)
_TO_NCHW = (0, 3, 1, 2)
_PER_DIMENSION = ("strides", "dilations", "ksize")
_BATCH_NORMS = ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
_WINDOWS = ("Conv2D", "DepthwiseConv2dNative", "MaxPool", "AvgPool")


@rewrite_of(*_BATCH_NORMS, *_WINDOWS)
def channels_last(node: NodeDef, new: Substitution) -> None:
  """Transposes around ops that compute in NCHW.

  Keras 2 computes `LayerNormalization` as a fused batch norm in NCHW. On CPUs
  TF 1.15 loads it and then says: "the CPU implementation only supports NHWC".
  Networks written for GPUs have NCHW convolutions, with the same end.
  """
  if new.attr("data_format") != "NCHW":
    return
  attrs = {
    name: _permuted(new.attr(name))
    for name in _PER_DIMENSION
    if name in node.attr
  }
  pads = list(node.attr["explicit_paddings"].list.i)
  if pads:
    pairs = _permuted([pads[i : i + 2] for i in range(0, len(pads), 2)])
    attrs["explicit_paddings"] = [pad for pair in pairs for pad in pair]

  def transposed(x: Any, *others: Any) -> list[Any]:
    x = tf.transpose(x, _TO_NHWC)
    outputs = new.like(x, *others, data_format="NHWC", **attrs)
    first, *rest = tf.nest.flatten(outputs)
    return [tf.transpose(first, _TO_NCHW), *rest]

  new.compute(transposed)


def _permuted(values: Sequence) -> list:
  return [values[i] for i in _TO_NHWC]
