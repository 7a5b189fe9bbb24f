# SPDX-License-Identifier: Apache-2.0
"""Convolutions and pooling as the CPU kernels of TensorFlow 1.15 have them."""

from __future__ import annotations

from typing import Any

import numpy as np

from hub_image_export.graph.portability.substitution import (
  Substitution,
  rewrite_of,
)
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import NodeDef


@rewrite_of("Conv2D", "Conv3D")
def depthwise_convolutions(node: NodeDef, new: Substitution) -> None:
  """Lets groups of one channel (ConvNeXt has up to 1536) be depthwise ones."""
  groups = _groups(new)
  if groups > 1 and _is_depthwise(node, new):
    new.compute(lambda x, kernel: _depthwise(new, x, kernel, groups))


@rewrite_of("Conv2D", "Conv3D")
def split_grouped_convolutions(node: NodeDef, new: Substitution) -> None:
  """Convolves the groups of a grouped convolution one by one.

  TF 1.15 has grouped convolution on GPUs only. On CPUs it says "Fused conv
  implementation does not support grouped convolutions", or fails on shapes.
  """
  groups = _groups(new)
  if groups < 2:
    return

  def one_by_one(x: Any, kernel: Any) -> Any:
    parts = zip(tf.split(x, groups, -1), tf.split(kernel, groups, -1))
    return tf.concat([new.like(*pair) for pair in parts], -1)

  new.compute(one_by_one)


def _groups(new: Substitution) -> int:
  """How many there are; 1 where that is not known, or not for CPUs."""
  (*_, channels), (*_, of_group, _) = (
    new.input_shape(i) or (None, None) for i in (0, 1)
  )
  if not channels or not of_group or new.attr("data_format").startswith("NC"):
    return 1
  return channels // of_group


def _is_depthwise(node: NodeDef, new: Substitution) -> bool:
  """Whether each group is one channel, and the strides are alike."""
  kernel = new.input_shape(1)
  strides = new.attr("strides")
  return (
    node.op == "Conv2D"
    and kernel[-2] == 1
    and None not in kernel
    and strides[1] == strides[2]
  )


def _depthwise(new: Substitution, x: Any, kernel: Any, groups: int) -> Any:
  height, width, _, channels = kernel.shape
  names = ("strides", "padding", "explicit_paddings", "dilations")
  return tf.raw_ops.DepthwiseConv2dNative(
    input=x,
    filter=tf.reshape(kernel, [height, width, groups, channels // groups]),
    **{name: new.attr(name) for name in names if name in new.node.attr},
  )


@rewrite_of("DepthwiseConv2dNative", "MaxPool")
def pad_before(node: NodeDef, new: Substitution) -> None:
  """Pads explicitly padded images before the op, not inside it.

  Depthwise convolution and max pooling have no `explicit_paddings` in TF 1.15.
  """
  if new.attr("padding") != "EXPLICIT":
    return
  pads = np.array(new.attr("explicit_paddings"), np.int32)
  paddings = np.reshape(pads, [-1, 2])

  def padded(x: Any, *others: Any) -> Any:
    lowest = x.dtype.min
    if x.dtype.is_floating:
      lowest = -np.inf
    value = lowest if node.op == "MaxPool" else 0
    x = tf.pad(x, paddings, constant_values=value)
    return new.like(x, *others, padding="VALID", explicit_paddings=[])

  new.compute(padded)
