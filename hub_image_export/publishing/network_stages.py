# SPDX-License-Identifier: Apache-2.0
"""The stages of a network, read from a module's graph.

A stage ends at a tensor with a name, or, on the longest way through the
network, where the image becomes half as large or less.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

from hub_image_export import contract
from hub_image_export.arguments import printable
from hub_image_export.graph.graph_defs import node_of, nodes_by_name
from hub_image_export.tensorflow_api.compat import tf

# What is commonly called a layer: an op that multiplies with weights.
_LAYERS = frozenset(
  {
    "BatchMatMul",
    "BatchMatMulV2",
    "Conv2D",
    "Conv3D",
    "DepthwiseConv2dNative",
    "Einsum",
    "MatMul",
  }
)
_MARGINS = frozenset({"MirrorPad", "Pad", "PadV2"})
_VARIABLES = frozenset({"VarHandleOp", "Variable", "VariableV2"})
# Areas that differ by less are of one stage: convolutions without padding
# take a pixel off each side.
_SHRINKAGE = 2


@dataclasses.dataclass
class Stage:
  """A tensor that ends a stage.

  Attributes:
    names: what it is called as an output; none where it only ends a stage.
    shape: as text.
    depth: the most layers that stand on a way from the images to it.
    parents: the stages that it is computed from, nearest ones only, in the
      order of their depth.
    layers: how many of `depth` lie behind the deepest of the parents.
    parameters: how many numbers the variables hold that it reads and no stage
      before it does.
  """

  names: list[str]
  shape: str = ""
  depth: int = 0
  parents: list[str] = dataclasses.field(default_factory=list)
  layers: int = 0
  parameters: int = 0

  @property
  def title(self) -> str:
    """Its names, or `56x56` where it has none; printable."""
    return printable(" = ".join(self.names) or self._size)

  @property
  def _size(self) -> str:
    return "x".join(self.shape.split(", ")[1:3])


def find_stages(
  graph_def: Any,
  images: str,
  outputs: dict[str, str],
  image_size: tuple[int, int],
) -> dict[str, Stage]:
  """Cuts a network into stages.

  Args:
    graph_def: of the inference variant.
    images: name of the input tensor.
    outputs: from the name of an output to that of its tensor.
    image_size: height and width for which the shapes are told.

  Returns:
    By the tensor's name: the input, then the stages, parents before children.
  """
  nodes = nodes_by_name(graph_def)
  named = {images: Stage([contract.IMAGES])}
  for name, tensor in outputs.items():
    named.setdefault(_origin(nodes, tensor), Stage([])).names.append(name)
  order = _in_order(nodes, map(node_of, named))
  depths = _depths(nodes, order, node_of(images))
  shapes = _shapes(graph_def, images, image_size)
  outer = {node_of(key) for key in named if key != images}
  ends = _ends(nodes, depths, shapes, outer)
  stages = {**named, **{f"{end}:0": Stage([]) for end in ends}}
  stages = _with_parents(nodes, order, depths, stages)
  for key, stage in stages.items():
    stage.shape = shape_of(shapes.get(_full(key)))
  _count_parameters(nodes, stages)
  return stages


def shape_of(shape: Any) -> str:
  """A `tf.TensorShape` as text: `[?, 224, 224, 3]`."""
  if shape is None or shape.rank is None:
    return "[…]"
  return "[" + ", ".join("?" if d is None else str(d) for d in shape) + "]"


def _full(tensor: str) -> str:
  return tensor if ":" in tensor else f"{tensor}:0"


def _origin(nodes: dict[str, Any], tensor: str) -> str:
  """The tensor that `tensor` is a copy of."""
  while nodes[node_of(tensor)].op == "Identity":
    tensor = _full(nodes[node_of(tensor)].input[0])
  return tensor


def _in_order(nodes: dict[str, Any], wanted: Iterable[str]) -> list[str]:
  """Nodes behind `wanted`, inputs first; loops are left at their end."""
  order: dict[str, None] = {}
  entered: set[str] = set()
  pending = list(wanted)[::-1]
  while pending:
    name = pending[-1]
    if name in order or name in entered:
      pending.pop()
      order.setdefault(name)
      continue
    entered.add(name)
    pending += [
      node_of(i) for i in nodes[name].input if node_of(i) not in entered
    ]
  return list(order)


def _depths(
  nodes: dict[str, Any], order: list[str], images: str
) -> dict[str, int]:
  """How many layers deep each node lies that comes from the images."""
  depths = {images: 0}
  for name in order:
    behind = [depths[i] for i in _inputs(nodes, name) if i in depths]
    if behind and name != images:
      depths[name] = max(behind) + (nodes[name].op in _LAYERS)
  return depths


def _inputs(nodes: dict[str, Any], name: str) -> list[str]:
  return [node_of(i) for i in nodes[name].input]


def _shapes(
  graph_def: Any, images: str, image_size: tuple[int, int]
) -> dict[str, Any]:
  """The shapes of all tensors for images of one size, as `tf.TensorShape`."""
  with tf.Graph().as_default() as graph:
    sized = tf.compat.v1.placeholder(
      tf.float32, [None, *image_size, contract.NUM_CHANNELS], "sized_images"
    )
    tf.import_graph_def(graph_def, {_full(images): sized}, name="network")
    found = {
      tensor.name.removeprefix("network/"): tensor.shape
      for op in graph.get_operations()
      for tensor in op.outputs
    }
  return {**found, _full(images): sized.shape}


def _ends(
  nodes: dict[str, Any],
  depths: dict[str, int],
  shapes: dict[str, Any],
  named: set[str],
) -> list[str]:
  """Where stages end that have no name, on the longest way."""
  way = _longest_way(nodes, depths, named)
  areas = {name: _area(nodes[name], shapes.get(f"{name}:0")) for name in way}
  ends = []
  for stage in _by_size(way, areas):
    has_layers = any(nodes[name].op in _LAYERS for name in stage)
    if has_layers and not named.intersection(stage):
      largest = max(areas[name] for name in stage)
      ends.append([n for n in stage if areas[n] * _SHRINKAGE > largest][-1])
  return ends


def _by_size(way: list[str], areas: dict[str, int]) -> list[list[str]]:
  """Cuts a way where the image shrinks for good.

  Blocks of squeeze and excitation see one pixel on their way, and go on with
  all of them. What comes after the last image is left out.
  """
  stages: list[list[str]] = []
  area = start = 0
  for name in reversed(way):
    area = max(area, areas[name])
    if area >= start * _SHRINKAGE and area:
      stages.append([])
      start = area
    if stages:
      stages[-1].append(name)
  return [stage[::-1] for stage in reversed(stages)]


def _longest_way(
  nodes: dict[str, Any], depths: dict[str, int], named: set[str]
) -> list[str]:
  """The nodes from the images to the deepest output, one after the other."""
  reached = sorted(named.intersection(depths))
  if not reached:
    return []
  way = [max(reached, key=depths.__getitem__)]
  seen = set(way)
  while True:
    behind = [i for i in _inputs(nodes, way[-1]) if i in depths]
    behind = [i for i in behind if i not in seen]
    if not behind:
      return way[::-1]
    way.append(max(behind, key=depths.__getitem__))
    seen.add(way[-1])


def _area(node: Any, shape: Any) -> int:
  """Pixels of an image-like tensor; 0 for others, and for added margins."""
  if shape is None or shape.rank != 4 or node.op in _MARGINS:
    return 0
  if node.attr["data_format"].s == b"NCHW":
    return 0
  height, width = shape[1], shape[2]
  return (height or 0) * (width or 0)


def _with_parents(
  nodes: dict[str, Any],
  order: list[str],
  depths: dict[str, int],
  stages: dict[str, Stage],
) -> dict[str, Stage]:
  """Finds what each stage comes from; the stages, parents before children."""
  by_node: dict[str, list[str]] = {}
  for key in stages:
    by_node.setdefault(node_of(key), []).append(key)
  ordered: dict[str, Stage] = {}
  sources: dict[str, frozenset[str]] = {}
  for name in order:
    found = frozenset().union(
      *(sources.get(i, ()) for i in _inputs(nodes, name))
    )
    for key in by_node.get(name, ()):
      stage = ordered[key] = stages[key]
      stage.depth = depths.get(name, 0)
      stage.parents = _nearest(found, stages)
      deepest = [stages[parent].depth for parent in stage.parents[-1:]]
      stage.layers = stage.depth - sum(deepest)
    sources[name] = frozenset(by_node.get(name, found))
  return ordered


def _nearest(found: Iterable[str], stages: dict[str, Stage]) -> list[str]:
  """Without those that others of them come from."""
  found = set(found)
  behind: set[str] = set()
  pending = [parent for key in found for parent in stages[key].parents]
  while pending:
    key = pending.pop()
    if key not in behind:
      behind.add(key)
      pending += stages[key].parents
  return sorted(found - behind, key=lambda key: (stages[key].depth, key))


def _count_parameters(nodes: dict[str, Any], stages: dict[str, Stage]) -> None:
  """Each variable counts for the first stage that reads it."""
  seen: set[str] = set()
  for key, stage in stages.items():
    pending = [node_of(key)]
    while pending:
      name = pending.pop()
      if name not in seen:
        seen.add(name)
        stage.parameters += _numbers(nodes[name])
        pending += _inputs(nodes, name)


def _numbers(node: Any) -> int:
  if node.op not in _VARIABLES:
    return 0
  return math.prod(dim.size for dim in node.attr["shape"].shape.dim)
