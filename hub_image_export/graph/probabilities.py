# SPDX-License-Identifier: Apache-2.0
"""Whether an output may be made of probabilities, by the ops behind it."""

from __future__ import annotations

import functools
from typing import NamedTuple

from hub_image_export import contract
from hub_image_export.graph.graph_defs import (
  data_inputs,
  node_of,
  nodes_by_name,
)
from hub_image_export.graph.logits import ACTIVATIONS
from hub_image_export.graph.moves import moved
from hub_image_export.tensorflow_api.protos import GraphDef

# Ops without bounds; a sum or a product with such a thing has none, either.
_LINEAR = frozenset(
  {"BatchMatMulV2", "Conv2D", "DepthwiseConv2dNative", "Einsum", "MatMul"}
)
_KEEPS_LINEAR = frozenset(
  {"Add", "AddN", "AddV2", "BiasAdd", "Mean", "Mul", "RealDiv", "Sub", "Sum"}
)
_OF_SHAPES = frozenset({"Rank", "Shape", "ShapeN", "Size"})


class Origin(NamedTuple):
  """What an output is computed from.

  Attributes:
    activations: the softmaxes and sigmoids, for messages, through which all
      goes that the output has of the images; none where anything passes them.
    alone: whether it is computed from these and constants, not from variables.
  """

  activations: tuple[str, ...]
  alone: bool

  def __str__(self) -> str:
    first, *more = self.activations
    return f"{first} and {len(more)} more" if more else first


def origin(graph_def: GraphDef, output: str) -> Origin:
  """Follows an output back to the activations that it is computed from."""
  nodes = nodes_by_name(graph_def)
  found, alone = [], True
  pending, seen = [node_of(output)], {node_of(output)}
  while pending:
    node = nodes[pending.pop()]
    if node.name == contract.IMAGES:
      return Origin((), False)
    if node.op in ACTIVATIONS:
      found.append(f"the {ACTIVATIONS[node.op]} {node.name!r}")
    elif node.op not in _OF_SHAPES:
      alone = alone and node.op != "Placeholder"
      new = set(map(node_of, data_inputs(node))) - seen
      seen |= new
      pending += new
  return Origin(tuple(sorted(found)), alone and bool(found))


def is_linear(graph_def: GraphDef, output: str) -> bool:
  """Whether the output has no bounds, as what a dense layer gives has none."""
  nodes = nodes_by_name(graph_def)

  @functools.cache
  def unbounded(tensor: str) -> bool:
    node = nodes[node_of(tensor)]
    inputs = data_inputs(node)
    if node.op in _KEEPS_LINEAR:
      return any(map(unbounded, inputs))
    values = [inputs[i] for i in moved(node)]
    return node.op in _LINEAR or (bool(values) and all(map(unbounded, values)))

  return unbounded(output)
