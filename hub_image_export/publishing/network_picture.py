# SPDX-License-Identifier: Apache-2.0
"""A picture of a network: its named tensors, and how they hang together.

It is made of text, because a page is one file: images beside it get lost,
inline SVG is taken out by most viewers of Markdown, and text shows in all of
them, in a terminal as well.

  images          [?, 64, 64, 3]
  │
  ├─▶ TinyNet/conv  [?, 62, 62, 8]  after 1 of 2 layers
  ▼
  …
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from hub_image_export import contract
from hub_image_export.arguments import printable
from hub_image_export.graph.graph_defs import node_of, nodes_by_name

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
_BRANCH = "├─▶ "
_BESIDE = "│   "


@dataclasses.dataclass
class Point:
  """A tensor with names.

  Attributes:
    names: all that it is called.
    shape: as text.
    depth: the most layers that stand on a way from the images to it.
    parents: the points that it is computed from, nearest ones only, in the
      order of their depth.
  """

  names: list[str]
  shape: str
  depth: int = 0
  parents: list[str] = dataclasses.field(default_factory=list)


def draw(
  graph_def: Any, images: str, outputs: dict[str, tuple[str, str]]
) -> list[str]:
  """Draws a network.

  Args:
    graph_def: of the inference variant.
    images: name of the input tensor.
    outputs: by the name of an output, its tensor's name and shape.

  Returns:
    The lines of the picture.
  """
  nodes = nodes_by_name(graph_def)
  points = _trace(nodes, _points(nodes, images, outputs))
  rows = _rows(images, "", points, _children(points))
  width = max(len(name) for name, _ in rows)
  return [f"{name:{width}}  {rest}".rstrip() for name, rest in rows]


def _points(
  nodes: dict[str, Any], images: str, outputs: dict[str, tuple[str, str]]
) -> dict[str, Point]:
  """By the tensor's name, the input first."""
  points = {images: Point([contract.IMAGES], "RGB in [0, 1]")}
  for name, (tensor, shape) in outputs.items():
    tensor = _origin(nodes, tensor)
    points.setdefault(tensor, Point([], shape)).names.append(name)
  return points


def _origin(nodes: dict[str, Any], tensor: str) -> str:
  """The tensor that `tensor` is a copy of."""
  while nodes[node_of(tensor)].op == "Identity":
    name = nodes[node_of(tensor)].input[0]
    tensor = name if ":" in name else f"{name}:0"
  return tensor


def _trace(nodes: dict[str, Any], points: dict[str, Point]) -> dict[str, Point]:
  """Finds how deep each point lies, and what it comes from.

  Returns:
    The points, parents before children.
  """
  by_node: dict[str, list[str]] = {}
  for key in points:
    by_node.setdefault(node_of(key), []).append(key)
  ordered: dict[str, Point] = {}
  depths: dict[str, int] = {}
  sources: dict[str, frozenset[str]] = {}
  for name in _in_order(nodes, map(node_of, points)):
    inputs = [node_of(i) for i in nodes[name].input]
    inputs = [i for i in inputs if sources.get(i)]
    found = frozenset(key for i in inputs for key in sources[i])
    depth = max((depths[i] for i in inputs), default=0)
    if found and nodes[name].op in _LAYERS:
      depth += 1
    depths[name] = depth
    for key in by_node.get(name, ()):
      ordered[key] = points[key]
      points[key].depth = depth
      points[key].parents = _nearest(found, points)
    sources[name] = frozenset(by_node.get(name, found))
  return ordered


def _nearest(found: Iterable[str], points: dict[str, Point]) -> list[str]:
  """Without those that others of them come from."""
  found = set(found)
  behind: set[str] = set()
  pending = [parent for key in found for parent in points[key].parents]
  while pending:
    key = pending.pop()
    if key not in behind:
      behind.add(key)
      pending += points[key].parents
  return sorted(found - behind, key=lambda key: (points[key].depth, key))


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


def _children(points: dict[str, Point]) -> dict[str, list[str]]:
  """Each point below the deepest of its parents; what goes on longest last."""
  children: dict[str, list[str]] = {key: [] for key in points}
  reach = {key: point.depth for key, point in points.items()}
  for key, point in reversed(points.items()):
    for parent in point.parents[-1:]:
      children[parent].append(key)
      reach[parent] = max(reach[parent], reach[key])
  order = {key: i for i, key in enumerate(points)}
  for keys in children.values():
    keys.sort(key=lambda key: (reach[key], order[key]))
  return children


def _rows(
  key: str,
  margin: str,
  points: dict[str, Point],
  children: dict[str, list[str]],
) -> list[tuple[str, str]]:
  """What stands on the left and on the right of each line, from `key` down."""
  total = max(point.depth for point in points.values())
  inner = margin.replace(_BRANCH, _BESIDE)
  rows: list[tuple[str, str]] = []
  while True:
    name = " = ".join(map(printable, points[key].names))
    lead = inner if rows else margin
    rows.append((lead + name, _remark(key, points, total)))
    if not children[key]:
      return rows
    *branches, key = children[key]
    for branch in branches:
      rows.append((inner + "│", ""))
      rows += _rows(branch, inner + _BRANCH, points, children)
    rows += [(inner + "│", ""), (inner + "▼", "")]


def _remark(key: str, points: dict[str, Point], total: int) -> str:
  point = points[key]
  parts = [point.shape]
  if point.parents and total:
    parts.append(f"after {point.depth} of {total} layers")
  parts += [
    f"also from {printable(points[other].names[0])}"
    for other in point.parents[:-1]
  ]
  return "  ".join(parts)
