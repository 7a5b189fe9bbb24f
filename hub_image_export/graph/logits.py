# SPDX-License-Identifier: Apache-2.0
"""Linear scores out of a classifier that ends in probabilities (C7).

A sigmoid commutes with all ops that move numbers about, a softmax with those
that keep the classes of a row together, in any order. Behind such ops it is
taken off. What else hides probabilities is for `probabilities` to find.
"""

from __future__ import annotations

import numpy as np

from hub_image_export.graph.graph_defs import (
  canonical,
  data_inputs,
  node_of,
  nodes_by_name,
  passed_on,
)
from hub_image_export.graph.moves import PASSES_ON, keeps_rows, moved
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import GraphDef, NodeDef

ACTIVATIONS = {"Softmax": "softmax", "Sigmoid": "sigmoid"}
# A function that grows with each number commutes with these; by their inputs.
_SELECTING = {
  **dict.fromkeys(("Max", "MaxPool", "Min"), [0]),
  **dict.fromkeys(("Maximum", "Minimum"), [0, 1]),
}


class _HiddenError(Exception):
  """No activation can be taken off."""


def strip_activation(graph_def: GraphDef, output: str) -> str | None:
  """Takes a final softmax or sigmoid off, in place.

  Other outputs that read the same probabilities go on reading them.

  Args:
    graph_def: is changed; with static shapes of the outputs.
    output: name of the Identity node that is the classifier's output.

  Returns:
    "softmax" or "sigmoid", whichever was there; None if neither was, or if it
    cannot be taken off.
  """
  off = _Off(graph_def)
  last = off.nodes[node_of(output)]
  try:
    scores = off.without(data_inputs(last)[0])
  except _HiddenError:
    return None
  ops = {node.op for node in off.activations.values()}
  if len(ops) > 1 or ("Softmax" in ops and not off.keeps_rows(last.name)):
    return None
  graph_def.node.extend(off.copies.values())
  last.input[0] = scores
  return ACTIVATIONS[ops.pop()]


class _Off:
  """The ops behind an output, as they are without the activations.

  Attributes:
    nodes: of the graph, by name.
    activations: those that were found, by name.
    copies: of the ops behind them, by the names of the originals.
  """

  def __init__(self, graph_def: GraphDef) -> None:
    self.nodes = nodes_by_name(graph_def)
    self.activations: dict[str, NodeDef] = {}
    self.copies: dict[str, NodeDef] = {}
    self._graph_def = graph_def

  def without(self, tensor: str) -> str:
    """The tensor as it is without the activations that it is made of.

    Raises:
      _HiddenError: it is made of something else, or by other ops.
    """
    tensor = passed_on(self.nodes, tensor, PASSES_ON)
    node = self.nodes[node_of(tensor)]
    if node.op in ACTIVATIONS:
      self.activations[node.name] = node
      return canonical(data_inputs(node)[0])
    if node.name not in self.copies:
      self.copies[node.name] = self._copy(node)
    _, colon, index = tensor.partition(":")
    return self.copies[node.name].name + colon + index

  def _copy(self, node: NodeDef) -> NodeDef:
    copy = NodeDef()
    copy.CopyFrom(node)
    copy.name += "/logits"
    while copy.name in self.nodes:
      copy.name += "_"
    if self._is_one_minus(node):  # 1 - sigmoid(x) is sigmoid(-x).
      copy.op = "Neg"
      copy.input[:] = [self.without(node.input[1])]
      return copy
    changed = moved(node) or _SELECTING.get(node.op)
    if not changed:
      raise _HiddenError
    for i in changed:
      copy.input[i] = self.without(node.input[i])
    return copy

  def _is_one_minus(self, node: NodeDef) -> bool:
    if node.op != "Sub":
      return False
    source = passed_on(self.nodes, node.input[0], PASSES_ON)
    number = self.nodes[node_of(source)]
    return number.op == "Const" and np.array_equal(
      tf.make_ndarray(number.attr["value"].tensor), 1
    )

  def keeps_rows(self, output: str) -> bool:
    return not self.copies or (
      all(moved(self.nodes[name]) for name in self.copies)
      and keeps_rows(self._graph_def, self.activations, output)
    )
