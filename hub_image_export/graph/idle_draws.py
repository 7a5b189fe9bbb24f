# SPDX-License-Identifier: Apache-2.0
"""Random numbers that decide nothing, as those of a dropout that drops nothing.

`keep_prob = placeholder_with_default(1.0, [])` is how TF1 switches it off: the
mask is drawn, and is the same whatever is drawn.
"""

from __future__ import annotations

import numpy as np

from hub_image_export.graph.constant_values import constant_values
from hub_image_export.graph.graph_defs import (
  constant_node,
  data_inputs,
  node_of,
  nodes_by_name,
)
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import GraphDef, NodeDef

_DRAW = "RandomUniform"  # From 0 on, below 1.
_HIGHEST = 0.99  # Of all types the highest draw is beyond.
# Of a number that grows, these do not go up and down again ...
_DECIDING = frozenset({"Floor", "Greater", "GreaterEqual", "Less", "LessEqual"})
# ... nor do these, with constants.
_LINEAR = frozenset({"Add", "AddV2", "Cast", "Identity", "Mul", "Sub"})


def drop_idle_draws(graph_def: GraphDef) -> None:
  """Puts constants for what is the same for all draws, in place.

  Args:
    graph_def: see `constant_values`.
  """
  if not any(node.op == _DRAW for node in graph_def.node):
    return
  nodes = nodes_by_name(graph_def)
  constants = []
  for node in graph_def.node:
    draw = _draw(nodes, node) if node.op in _DECIDING else None
    if draw and _is_open(nodes, node):
      continue  # Dropout, mostly: what a session tells takes milliseconds.
    value = _decided(graph_def, node, draw) if draw else None
    if draw and value is not None:
      constants.append(constant_node(f"{node.name}/decided", value))
      _fill(node, draw, constants[-1])
  graph_def.node.extend(constants)


def _draw(nodes: dict[str, NodeDef], node: NodeDef) -> NodeDef | None:
  """The only draw that a decision is made of, by linear ops."""
  draws, seen, pending = set(), set(), data_inputs(node)
  while pending:
    source = nodes[node_of(pending.pop())]
    if source.name in seen:
      continue
    seen.add(source.name)
    if source.op == _DRAW:
      draws.add(source.name)
    elif source.op in _LINEAR:
      pending += data_inputs(source)
  return nodes[draws.pop()] if len(draws) == 1 else None


def _is_open(nodes: dict[str, NodeDef], node: NodeDef) -> bool:
  """Whether a draw itself is compared with a constant that it may be beyond."""
  sources = [nodes[node_of(tensor)] for tensor in data_inputs(node)]
  others = [source for source in sources if source.op != _DRAW]
  if len(sources) != 2 or [source.op for source in others] != ["Const"]:
    return False
  threshold = tf.make_ndarray(others[0].attr["value"].tensor)
  return bool(np.all((threshold > 0) & (threshold < _HIGHEST)))


def _decided(
  graph_def: GraphDef, node: NodeDef, draw: NodeDef
) -> np.ndarray | None:
  """What the lowest and the highest draw give, if that is the same number."""
  dtype = tf.dtypes.as_dtype(draw.attr["dtype"].type)
  if dtype == tf.bfloat16:  # NumPy does not know it.
    return None
  zero, one = dtype.as_numpy_dtype(0), dtype.as_numpy_dtype(1)
  found = []
  # Bits are drawn for the fraction of a number from 1 on, and 1 is taken off.
  for number in (zero, one - np.finfo(one).eps):
    given = constant_node(draw.name, np.array(number))
    values = constant_values(graph_def, [node.name], {draw.name: given})
    if values is None or np.shape(values[0]):
      return None
    found.append(values[0])
  return found[0] if found[0] == found[1] else None


def _fill(node: NodeDef, draw: NodeDef, value: NodeDef) -> None:
  """Makes of a decision the value, as often as numbers are drawn."""
  shapes = node.attr["_output_shapes"]
  new = NodeDef(name=node.name, op="Fill")
  new.input.extend([draw.input[0], value.name])
  new.attr["T"].CopyFrom(value.attr["dtype"])
  new.attr["index_type"].CopyFrom(draw.attr["T"])
  new.attr["_output_shapes"].CopyFrom(shapes)
  node.CopyFrom(new)
