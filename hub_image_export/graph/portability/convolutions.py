"""Convolutions and pooling as the CPU kernels of TensorFlow 1.15 have them."""

from __future__ import annotations

import numpy as np

from hub_image_export.graph.portability.substitution import (
  Substitution,
  attrs_of,
  substitute,
)
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import GraphDef, NodeDef


def _num_groups(new: Substitution) -> int | None:
  """The number of groups; None where it is not known."""
  x, kernel = new.input_shape(0), new.input_shape(1)
  if not x or not kernel or x[-1] is None or kernel[-2] is None:
    return None
  return x[-1] // kernel[-2]


def _split(new: Substitution, index: int, groups: int) -> list[str]:
  """The parts of an input, divided along its last axis."""
  axis = new.constant(-1)
  t = new.node.attr["T"]
  node = new.add("Split", [axis, new.node.input[index]], num_split=groups, T=t)
  return [f"{node}:{i}" if i else node for i in range(groups)]


def _is_depthwise(node: NodeDef, new: Substitution) -> bool:
  """Whether each group is one channel, and the strides are alike."""
  kernel = new.input_shape(1)
  strides = node.attr["strides"].list.i
  return (
    node.op == "Conv2D"
    and kernel[-2] == 1
    and None not in kernel
    and strides[1] == strides[2]
  )


def _depthwise(node: NodeDef, new: Substitution, groups: int) -> None:
  height, width, _, channels = new.input_shape(1)
  shape = [height, width, groups, channels // groups]
  t = {"T": node.attr["T"]}
  inputs = [node.input[1], new.constant(shape)]
  kernel = new.add("Reshape", inputs, shape=shape, Tshape=tf.int32, **t)
  names = ("strides", "padding", "explicit_paddings", "data_format")
  attrs = {**attrs_of(node, *names, "dilations"), **t}
  new.finish("DepthwiseConv2dNative", [node.input[0], kernel], **attrs)


def _ungrouped(node: NodeDef, new: Substitution) -> None:
  groups = _num_groups(new)
  if not groups or groups == 1 or node.attr["data_format"].s[:2] == b"NC":
    return
  if _is_depthwise(node, new):
    _depthwise(node, new, groups)
    return
  attrs = {k: v for k, v in node.attr.items() if not k.startswith("_")}
  images = _split(new, 0, groups)
  kernels = _split(new, 1, groups)
  parts = [new.add(node.op, pair, **attrs) for pair in zip(images, kernels)]
  axis = new.constant(-1)
  t = {"T": node.attr["T"], "Tidx": tf.int32}
  new.finish("ConcatV2", [*parts, axis], N=groups, **t)


def split_grouped_convolutions(graph_def: GraphDef) -> int:
  """Convolves the groups of a grouped convolution one by one.

  Groups of one channel (ConvNeXt has up to 1536) are a depthwise convolution.
  TF 1.15 has grouped convolution on GPUs only. On CPUs it says "Fused conv
  implementation does not support grouped convolutions", or fails on shapes.
  """
  return substitute(graph_def, ("Conv2D", "Conv3D"), _ungrouped)


def _padded_before(node: NodeDef, new: Substitution) -> None:
  if node.attr["padding"].s != b"EXPLICIT":
    return
  paddings = np.reshape(node.attr["explicit_paddings"].list.i, [-1, 2])
  amounts = new.constant(paddings)
  t = {"T": node.attr["T"], "Tpaddings": tf.int32}
  if node.op == "MaxPool":
    dtype = tf.dtypes.as_dtype(node.attr["T"].type)
    lowest = -np.inf if dtype.is_floating else dtype.min
    filling = new.constant(lowest, dtype.as_numpy_dtype)
    x = new.add("PadV2", [node.input[0], amounts, filling], **t)
  else:
    x = new.add("Pad", [node.input[0], amounts], **t)
  others = [name for name in node.input[1:] if not name.startswith("^")]
  attrs = attrs_of(node, "T", "strides", "dilations", "ksize", "data_format")
  new.finish(node.op, [x, *others], padding="VALID", **attrs)


def pad_before(graph_def: GraphDef) -> int:
  """Pads explicitly padded images before the op, not inside it.

  Depthwise convolution and max pooling have no `explicit_paddings` in TF 1.15.
  """
  return substitute(
    graph_def, ("DepthwiseConv2dNative", "MaxPool"), _padded_before
  )
