# SPDX-License-Identifier: Apache-2.0
"""The decay of moving averages, found in a graph and made an input (H1).

`new = decay · old + (1 − decay) · batch` is written in several ways, by
`assign_moving_average`, by layers and by hand. All are sums of the old value
and of another one: whatever the spelling, their two factors are what tells.
"""

from __future__ import annotations

from collections.abc import Container, Iterable

from hub_image_export.graph.graph_defs import (
  canonical,
  data_inputs,
  descendants,
  node_of,
  nodes_by_name,
  passed_on,
)
from hub_image_export.graph.state_ops import NodeMaker
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import GraphDef, NodeDef

_SIGNS = {"Add": 1.0, "AddV2": 1.0, "Sub": -1.0}
_ASSIGNED = {"AssignAddVariableOp": 1.0, "AssignSubVariableOp": -1.0}
_NEAR = 1e-5

# Factors by what they multiply: names of tensors, and of the variable.
_Terms = dict[str, float]


def take_momentum(
  graph_def: GraphDef,
  updates: Iterable[str],
  momentum: str,
  averages: Container[str],
  images: str,
) -> tuple[dict[str, float], list[str]]:
  """Lets moving averages decay by the value of a node, in place.

  Args:
    graph_def: of a training variant.
    updates: names of the ops that assign to variables.
    momentum: name of the node that gives the decay, a float32 scalar.
    averages: names of the placeholders of variables that may be averages:
      nothing else changes them.
    images: name of the placeholder of the images: averages are of statistics.

  Returns:
    The decays that were found, by the placeholder of the variable, and the
    names of the updates that do not depend on the momentum now.
  """
  search = _Search(graph_def, descendants(graph_def, [images]))
  depending = descendants(graph_def, [momentum])
  decays: dict[str, float] = {}
  left = []
  for name in updates:
    node = search.nodes[name]
    if name in depending:
      continue
    found = None
    if canonical(node.input[0]) in averages:
      found = search.average(node)
    if found is None:
      left.append(name)
    else:
      old, new, decays[canonical(node.input[0])] = found
      _decay_by(graph_def, search.nodes, node, momentum, old, new)
  return decays, left


class _Search:
  """Looks for moving averages in one graph."""

  def __init__(self, graph_def: GraphDef, of_images: Container[str]) -> None:
    self.nodes = nodes_by_name(graph_def)
    self._of_images = of_images

  def average(self, update: NodeDef) -> tuple[str, str, float] | None:
    """The old value that is read, the new one, and the decay of the old."""
    variable = canonical(update.input[0])
    value = canonical(data_inputs(update)[1])
    terms = self._terms(value, variable, 1.0)
    reads = [t for t in terms if self._reads(t, variable)]
    others = [t for t in terms if t not in reads]
    if not reads or len(others) != 1:
      return None
    (other,) = others
    old, new = sum(terms[read] for read in reads), terms[other]
    if update.op in _ASSIGNED:
      old, new = (_ASSIGNED[update.op] * factor for factor in (old, new))
      old += 1.0
    if node_of(other) not in self._of_images or not 0.0 <= old < 1.0:
      return None
    while abs(old + new - 1.0) > _NEAR:  # Is there a factor before the batch's?
      peeled = self._peeled(other)
      if peeled is None:
        return None
      other, factor = peeled
      new *= factor
    return reads[0], other, old

  def _reads(self, tensor: str, variable: str) -> bool:
    node = self.nodes[node_of(tensor)]
    return node.op == "ReadVariableOp" and canonical(node.input[0]) == variable

  def _terms(self, tensor: str, variable: str, factor: float) -> _Terms:
    """The sum that a tensor is, as far as the variable is in it."""
    tensor = passed_on(self.nodes, tensor, {"Identity"})
    node = self.nodes[node_of(tensor)]
    if not self._reads(tensor, variable) and self._has(tensor, variable):
      inputs = data_inputs(node)
      if node.op in _SIGNS:
        found = self._terms(inputs[0], variable, factor)
        sign = _SIGNS[node.op] * factor
        for key, value in self._terms(inputs[1], variable, sign).items():
          found[key] = found.get(key, 0.0) + value
        return found
      peeled = self._peeled(tensor)
      if peeled is not None:
        return self._terms(peeled[0], variable, factor * peeled[1])
    return {canonical(tensor): factor}

  def _has(self, tensor: str, variable: str) -> bool:
    """Whether it is a sum or product with the variable in it."""
    if self._reads(tensor, variable):
      return True
    node = self.nodes[node_of(tensor)]
    if node.op == "Identity" or node.op in _SIGNS or node.op == "Mul":
      return any(self._has(i, variable) for i in data_inputs(node))
    return False

  def _peeled(self, tensor: str) -> tuple[str, float] | None:
    """A product with a constant number: the other factor, and the number."""
    node = self.nodes[node_of(passed_on(self.nodes, tensor, {"Identity"}))]
    if node.op != "Mul":
      return None
    inputs = data_inputs(node)
    for number, other in (inputs, inputs[::-1]):
      value = self._number(number)
      if value is not None:
        return canonical(other), value
    return None

  def _number(self, tensor: str) -> float | None:
    """The value of a constant scalar, or of 1 minus one."""
    node = self.nodes[node_of(passed_on(self.nodes, tensor, {"Identity"}))]
    if node.op == "Sub":
      parts = [self._number(i) for i in data_inputs(node)]
      if parts[0] is None or parts[1] is None:
        return None
      return parts[0] - parts[1]
    if node.op != "Const":
      return None
    value = tf.make_ndarray(node.attr["value"].tensor)
    return (
      float(value) if value.shape == () and value.dtype.kind == "f" else None
    )


def _decay_by(
  graph_def: GraphDef,
  nodes: dict[str, NodeDef],
  update: NodeDef,
  momentum: str,
  old: str,
  new: str,
) -> None:
  """Makes the update `variable -= (old − new) · (1 − momentum)`."""
  make = NodeMaker(set(nodes), in_function=False)
  dtype = update.attr["dtype"]
  base = f"{update.name}/decayed"
  one = make.constant(base, 1.0, "float32")
  rate = make.add(base, "Sub", [one, momentum], T=tf.float32)
  if dtype.type != tf.float32.as_datatype_enum:
    rate = make.add(base, "Cast", [rate], SrcT=tf.float32, DstT=dtype)
  distance = make.add(base, "Sub", [old, new], T=dtype)
  step = make.add(base, "Mul", [distance, rate], T=dtype)
  for node in make.nodes:
    nodes[node.name] = node
  graph_def.node.extend(make.nodes)
  controls = [name for name in update.input if name[0] == "^"]
  inputs = [update.input[0], step, *controls]
  del update.input[:]
  update.input.extend(inputs)
  update.op = "AssignSubVariableOp"
  update.attr.clear()
  update.attr["dtype"].CopyFrom(dtype)
