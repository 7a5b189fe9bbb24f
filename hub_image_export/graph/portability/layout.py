"""Channels-first computation, which TensorFlow 1.15 has for GPUs only."""

from __future__ import annotations

from collections.abc import Sequence

from hub_image_export.graph.portability.substitution import (
  Shape,
  Substitution,
  attr_value,
  substitute,
)
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import AttrValue, GraphDef, NodeDef

_TO_NHWC = (0, 2, 3, 1)
_TO_NCHW = (0, 3, 1, 2)
_PER_DIMENSION = ("strides", "dilations", "ksize")
_NUM_OUTPUTS = {"FusedBatchNorm": 5, "FusedBatchNormV2": 5}
_NUM_OUTPUTS["FusedBatchNormV3"] = 6
_OPS = (*_NUM_OUTPUTS, "Conv2D", "DepthwiseConv2dNative", "MaxPool", "AvgPool")


def _permuted(values: Sequence, order: Sequence[int]) -> list:
  return [values[i] for i in order]


def _transposed(
  new: Substitution, tensor: str, order: Sequence[int], shape: Shape
) -> str:
  permutation = new.constant(order)
  if shape is not None:
    shape = _permuted(shape, order)
  t = {"T": new.node.attr["T"], "Tperm": tf.int32}
  return new.add("Transpose", [tensor, permutation], shape=shape, **t)


def _channels_last_attrs(node: NodeDef) -> dict[str, AttrValue]:
  attrs = {k: v for k, v in node.attr.items() if not k.startswith("_")}
  attrs["data_format"] = attr_value("NHWC")
  for name in _PER_DIMENSION:
    if name in attrs:
      values = _permuted(attrs[name].list.i, _TO_NHWC)
      attrs[name] = attr_value(values)
  pads = list(node.attr["explicit_paddings"].list.i)
  if pads:
    pairs = [pads[i : i + 2] for i in range(0, len(pads), 2)]
    pairs = _permuted(pairs, _TO_NHWC)
    attrs["explicit_paddings"] = attr_value([p for pair in pairs for p in pair])
  return attrs


def _channels_last(node: NodeDef, new: Substitution) -> None:
  if node.attr["data_format"].s != b"NCHW":
    return
  attrs = _channels_last_attrs(node)
  x = _transposed(new, node.input[0], _TO_NHWC, new.input_shape(0))
  others = [name for name in node.input[1:] if not name.startswith("^")]
  inner = new.add(node.op, [x, *others], **attrs)
  for i in range(1, _NUM_OUTPUTS.get(node.op, 1)):
    new.redirected[f"{node.name}:{i}"] = f"{inner}:{i}"
  permutation = new.constant(_TO_NCHW)
  new.finish(
    "Transpose", [inner, permutation], T=node.attr["T"], Tperm=tf.int32
  )


def channels_last(graph_def: GraphDef) -> int:
  """Transposes around ops that compute in NCHW.

  Keras 2 computes `LayerNormalization` as a fused batch norm in NCHW. On CPUs
  TF 1.15 loads it and then says: "the CPU implementation only supports NHWC".
  Networks written for GPUs have NCHW convolutions, with the same end.
  """
  return substitute(graph_def, _OPS, _channels_last)
