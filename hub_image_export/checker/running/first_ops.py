# SPDX-License-Identifier: Apache-2.0
"""What is made of pixels before the first layer, by constants alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hub_image_export import contract
from hub_image_export.checker.judged import JudgedSignature
from hub_image_export.checker.reading.call_graph_rules import result
from hub_image_export.checker.reading.saved_objects import Callable, is_plain
from hub_image_export.checker.report import Found
from hub_image_export.checker.running.pixel_range_rules import (
  PIXEL_OPS,
  Ask,
  scaled_pixels,
)
from hub_image_export.checker.running.probe_images import distance
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import GraphDef
from hub_image_export.untrusted.graph import Graph, node_name

# Less than between any two ranges, and more than a mean may be rounded by.
_ALIKE = 0.1

_LAYERS = frozenset(
  {
    "Conv2D", "DepthwiseConv2dNative", "Pad", "PadV2", "MaxPool", "AvgPool",
    "SpaceToBatchND", "SpaceToDepth", "ExtractImagePatches",
  }
)  # fmt: skip


class Scaling(NamedTuple):
  """Arithmetic with constants that images go through first, if any.

  Attributes:
    run: does it.
    is_all: whether layers read what it gives, and no more arithmetic.
  """

  run: Ask
  is_all: bool


def first_ops(judged: Callable, training: bool = False) -> Scaling | None:
  """What stands at the start of a plain call."""
  call = judged.call
  for trace in call.traces if call else ():
    is_training = bool(trace.options.get(contract.TRAINING))
    if is_plain(call, trace) and is_training == training:
      found = result(judged.objects, trace.name)
      if found is not None and found[2]:
        graph, tensor, (images, *_) = found
        return _scaling(graph, images, [tensor])
  return None


def first_ops_of(signature: JudgedSignature) -> Scaling | None:
  """What stands at the start of a signature."""
  images = node_name(signature.inputs[contract.IMAGES].name)
  return _scaling(signature.variant.graph, images, signature.output_tensors)


def _scaling(graph: Graph, images: str, outputs: list[str]) -> Scaling | None:
  readers = graph.readers(graph.ancestors(outputs))
  end = scaled_pixels(readers, graph, images)
  names = graph.ancestors([end]) - {images}
  if any(graph.op(name) not in PIXEL_OPS | {"Const"} for name in names):
    return None
  graph_def = GraphDef()
  for name in sorted(names):
    node = graph_def.node.add()
    node.CopyFrom(graph.nodes[name])
    # Functions name outputs, as "sub:z:0"; each of these ops has one.
    node.input[:] = map(node_name, graph.data_inputs(name))
    node.attr.pop("_output_shapes", None)

  def run(pixels: np.ndarray) -> np.ndarray:
    if not names:
      return pixels
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
      (scaled,) = tf.import_graph_def(
        graph_def, {images: tf.constant(pixels)}, [f"{end}:0"]
      )
      return session.run(scaled)

  following = {graph.op(name) for name in readers.get(end, ())}
  return Scaling(run, bool(following) and following <= _LAYERS)


def check_same_scaling(
  inference: Scaling | None,
  train: Scaling | None,
  size: tuple[int, int],
  place: str,
) -> Found:
  """C12: training sees the pixels that inference sees.

  It may flip or crop them, or put noise on them, before they are scaled: then
  nothing is said.
  """
  if not (inference and inference.is_all and train and train.is_all):
    return
  pixels = np.zeros([2, *size, contract.NUM_CHANNELS], np.float32)
  pixels[1] = contract.PIXEL_MAX
  try:
    ours, theirs = inference.run(pixels), train.run(pixels)
  except (tf.errors.OpError, ValueError):
    return  # Running the variants tells what is wrong with them.
  if ours.shape == theirs.shape and distance(ours, theirs) > _ALIKE:
    text = (
      f"The first ops map [0, 1] to [{theirs.min():.4g}, {theirs.max():.4g}] "
      f"when it trains, and to [{ours.min():.4g}, {ours.max():.4g}] for "
      "inference; expected the same pixels. Scale them alike."
    )
    yield "range-suspicious", place, text
