"""Dilated convolutions as plain ones on rearranged images."""

from __future__ import annotations

import numpy as np

from hub_image_export.graph.portability.substitution import (
  Substitution,
  substitute,
)
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import GraphDef, NodeDef

_INT = {"T": tf.int32}
_BLOCKS = {"Tblock_shape": tf.int32}


def _paddings(node: NodeDef, new: Substitution) -> np.ndarray | None:
  """What the op pads: [height or width, before or after]."""
  padding = node.attr["padding"].s
  if padding == b"VALID":
    return np.zeros([2, 2], np.int32)
  if padding == b"EXPLICIT":
    pads = node.attr["explicit_paddings"].list.i
    return np.reshape(pads, [4, 2])[1:3].astype(np.int32)
  kernel = new.input_shape(1)
  if not kernel or None in kernel[:2]:
    return None
  rates = np.array(node.attr["dilations"].list.i[1:3])
  total = (np.array(kernel[:2]) - 1) * rates
  return np.stack([total // 2, total - total // 2], 1).astype(np.int32)


def _remainder(
  new: Substitution, paddings: np.ndarray, rates: np.ndarray
) -> np.ndarray | str:
  """What lacks of a multiple of the rates, or the tensor that computes it."""
  shape = new.input_shape(0)
  if shape and None not in shape[1:3]:
    return -(np.array(shape[1:3]) + paddings.sum(1)) % rates
  attrs = {"T": new.node.attr["T"], "out_type": tf.int32}
  sizes = new.add("Shape", [new.node.input[0]], **attrs)
  bounds = [new.constant([i]) for i in (1, 3, 1)]
  sizes = new.add("StridedSlice", [sizes, *bounds], Index=tf.int32, **_INT)
  padded = new.add("AddV2", [sizes, new.constant(paddings.sum(1))], **_INT)
  negative = new.add("Neg", [padded], **_INT)
  return new.add("FloorMod", [negative, new.constant(rates)], **_INT)


def _amounts(
  new: Substitution, paddings: np.ndarray, rest: np.ndarray | str
) -> tuple[str, str]:
  """The paddings before, and the crops after, the convolution."""
  zeros = np.zeros(2, np.int32)
  if isinstance(rest, np.ndarray):
    padded = np.stack([paddings[:, 0], paddings[:, 1] + rest], 1)
    return new.constant(padded), new.constant(np.stack([zeros, rest], 1))
  low, high, zero = map(new.constant, (paddings[:, 0], paddings[:, 1], zeros))
  high = new.add("AddV2", [high, rest], **_INT)
  attrs = {"N": 2, "axis": 1, **_INT}
  padded = new.add("Pack", [low, high], **attrs)
  return padded, new.add("Pack", [zero, rest], **attrs)


def _undilated(node: NodeDef, new: Substitution) -> None:
  rates = np.array(node.attr["dilations"].list.i[1:3], np.int32)
  strides = list(node.attr["strides"].list.i)
  if not rates.size or rates.max() == 1 or strides != [1, 1, 1, 1]:
    return
  paddings = _paddings(node, new)
  if paddings is None:
    return
  padded, crops = _amounts(new, paddings, _remainder(new, paddings, rates))
  t = node.attr["T"]
  block = new.constant(rates)
  x = new.add(
    "SpaceToBatchND",
    [node.input[0], block, padded],
    T=t,
    Tpaddings=tf.int32,
    **_BLOCKS,
  )
  attrs = {"T": t, "strides": strides, "padding": "VALID"}
  attrs["data_format"] = node.attr["data_format"]
  y = new.add(node.op, [x, node.input[1]], **attrs)
  new.finish(
    "BatchToSpaceND", [y, block, crops], T=t, Tcrops=tf.int32, **_BLOCKS
  )


def undilate_convolutions(graph_def: GraphDef) -> int:
  """Convolves the phases of the images, as `tf.nn.convolution` does.

  On CPUs TF 1.15 has no gradient of a dilated `Conv2D` ("do not yet support
  dilation rates larger than 1"), and lets a `DepthwiseConv2dNative` compute
  wrong numbers. Expects NHWC, and no groups.
  """
  ops = ("Conv2D", "DepthwiseConv2dNative")
  return substitute(graph_def, ops, _undilated)
