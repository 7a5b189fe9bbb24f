# SPDX-License-Identifier: Apache-2.0
"""Dropout that is applied to an output itself (C5)."""

from __future__ import annotations

from hub_image_export import contract
from hub_image_export.graph import graph_defs
from hub_image_export.graph.random_state import (
  GENERATOR_OPS,
  PLAIN_DRAWS,
  SEED_INPUTS,
)
from hub_image_export.tensorflow_api.protos import GraphDef, NodeDef

_RANDOM = PLAIN_DRAWS | GENERATOR_OPS | frozenset(SEED_INPUTS)
_PASS_THROUGH = frozenset(
  {
    "Cast",
    "CheckNumerics",
    "EnsureShape",
    "ExpandDims",
    "Identity",
    "IdentityN",
    "PreventGradient",
    "Reshape",
    "Snapshot",
    "Squeeze",
    "StopGradient",
    "Transpose",
  }
)
# Dropout multiplies by a random mask or selects by one; noise may be added.
_ARITHMETIC = frozenset({"Mul", "Add", "AddV2", "Sub", "RealDiv", "DivNoNan"})
_SELECT = frozenset({"Select", "SelectV2"})
# Ops whose results depend on the size of images only, not on their content.
_OF_SHAPES = frozenset({"Shape", "ShapeN", "Size", "Rank"})


def dropout_on(
  graph_def: GraphDef, tensor: str, images: str = contract.IMAGES
) -> str | None:
  """The scope of the dropout, or noise, that `tensor` is the result of.

  Looks through ops that only pass values on, and through scaling and shifting
  by constants; dropout before any real computation is the network's own.

  Args:
    graph_def: The training variant, without calls of functions.
    tensor: Name of the output.
    images: Name of the placeholder of the images.

  Returns:
    The name scope of the op, which is that of the layer where a layer made
    it, or the op's name where it has no scope; None if there is no dropout.
  """
  if not any(node.op in _RANDOM for node in graph_def.node):
    return None
  return _Search(graph_def, images).dropout(tensor)


class _Search:
  """Walks backwards from an output."""

  def __init__(self, graph_def: GraphDef, images: str):
    self._nodes = graph_defs.nodes_by_name(graph_def)
    self._images = images

  def dropout(self, tensor: str) -> str | None:
    while True:
      tensor = graph_defs.passed_on(self._nodes, tensor, _PASS_THROUGH)
      node = self._nodes[graph_defs.node_of(tensor)]
      inputs = graph_defs.data_inputs(node)
      if self._drops(node, inputs):
        return node.name.rpartition("/")[0] or node.name
      source = self._scaled(node, inputs)
      if source is None:
        return None
      tensor = source

  def _drops(self, node: NodeDef, inputs: list[str]) -> bool:
    if node.op in _SELECT:
      mask, *sides = inputs
      return self._is_mask(mask) and any(map(self._sees_images, sides))
    if node.op in _ARITHMETIC:
      a, b = inputs
      return (self._is_mask(a) and self._sees_images(b)) or (
        self._is_mask(b) and self._sees_images(a)
      )
    return False

  def _scaled(self, node: NodeDef, inputs: list[str]) -> str | None:
    """The other operand, where one is a constant."""
    if node.op not in _ARITHMETIC:
      return None
    varying = [name for name in inputs if not self._is_constant(name)]
    return varying[0] if len(varying) == 1 else None

  def _is_mask(self, tensor: str) -> bool:
    """Whether it is random, and does not depend on the images' content."""
    found = self._origins(tensor)
    return self._images not in found and any(
      self._is_random(self._nodes[name]) for name in found
    )

  def _is_random(self, node: NodeDef) -> bool:
    """Whether it draws; from a constant seed it gives the same each time."""
    if node.op not in SEED_INPUTS:
      return node.op in _RANDOM
    pending = [node.input[i] for i in SEED_INPUTS[node.op]]
    seen: set[str] = set()
    while pending:
      source = self._nodes[graph_defs.node_of(pending.pop())]
      is_constant = source.op == "Const" or source.op in _OF_SHAPES
      is_draw = source.op in _RANDOM and source.op not in SEED_INPUTS
      if is_draw or not (source.input or is_constant):
        return True
      if not is_constant and source.name not in seen:
        seen.add(source.name)
        pending += graph_defs.data_inputs(source)
    return False

  def _sees_images(self, tensor: str) -> bool:
    return self._images in self._origins(tensor)

  def _is_constant(self, tensor: str) -> bool:
    leaves = (self._nodes[name] for name in self._origins(tensor))
    return all(node.input or node.op == "Const" for node in leaves)

  def _origins(self, tensor: str) -> set[str]:
    """Ancestors by content: not through shapes, nor into random ops."""
    found: set[str] = set()
    pending = [graph_defs.node_of(tensor)]
    while pending:
      name = pending.pop()
      node = self._nodes[name]
      if name in found or node.op in _OF_SHAPES:
        continue
      found.add(name)
      if node.op not in _RANDOM:
        inputs = graph_defs.data_inputs(node)
        pending.extend(map(graph_defs.node_of, inputs))
    return found
