# SPDX-License-Identifier: Apache-2.0
"""Branches that are never taken: their conditions are constants.

What stands in them would be held against the network: random numbers, updates,
ops that a module cannot have.
"""

from __future__ import annotations

import numpy as np

from hub_image_export.graph.called_functions import CHOICES, called
from hub_image_export.graph.constant_values import constant_values
from hub_image_export.graph.graph_defs import (
  canonical,
  constant_node,
  data_inputs,
  node_of,
  nodes_by_name,
  replace_inputs,
  replace_nodes,
  resolve_chains,
)
from hub_image_export.graph.program_order import in_program_order
from hub_image_export.tensorflow_api.protos import GraphDef, NodeDef

_ALL_OF, _ANY_OF = ("LogicalAnd", "All"), ("LogicalOr", "Any")


def taken(graph_def: GraphDef, node: NodeDef) -> NodeDef | None:
  """A call of the function that a choice always calls, if there is one.

  Args:
    graph_def: see `constant_values`.
    node: any one of its nodes.
  """
  if node.op not in CHOICES:
    return None
  value = _value(graph_def, node.input[0])
  if value is None or np.shape(value):
    return None
  functions = called(node)
  if "If" in node.op:
    index = 0 if value else 1
  else:  # A case that there is none of is the last one.
    index = int(value) if 0 <= value < len(functions) else -1
  return NodeDef(name=node.name, op=functions[index].name, input=node.input[1:])


def _value(graph_def: GraphDef, tensor: str) -> np.ndarray | bool | None:
  """The value of a condition, known in whole or decided by a part of it."""
  found = constant_values(graph_def, [tensor])
  if found is not None:
    return found[0]
  nodes = nodes_by_name(graph_def)
  node = nodes[node_of(tensor)]
  if node.op not in _ALL_OF + _ANY_OF:
    return None
  parts = data_inputs(node)
  if node.op in ("All", "Any"):
    source = nodes[node_of(parts[0])]
    # Of a vector of conditions there is one answer.
    parts = data_inputs(source) if source.op == "Pack" else []
  decisive = node.op in _ANY_OF
  values = [_value(graph_def, part) for part in parts]
  is_decided = any(v is not None and np.all(v == decisive) for v in values)
  return decisive if is_decided else None


def drop_dead_ops(graph_def: GraphDef) -> None:
  """Leaves out what no constant `Switch` of TensorFlow 1 leads to, in place."""
  switches = _constant_switches(graph_def)
  if not switches:
    return
  nodes = nodes_by_name(graph_def)
  dead: set[str] = set()
  stand_ins: dict[str, str] = {}
  kept: list[NodeDef] = []

  def is_dead(tensor: str) -> bool:
    return node_of(tensor) in dead or switches.get(canonical(tensor)) is False

  for node in in_program_order(graph_def.node):
    inputs = data_inputs(node)
    coming = [t for t in inputs if nodes[node_of(t)].op != "NextIteration"]
    alive = [tensor for tensor in coming if not is_dead(tensor)]
    if node.op == "Merge" and len(alive) == 1 < len(coming):
      number = np.int32(inputs.index(alive[0]))
      kept.append(_identity(node, alive[0]))
      kept.append(constant_node(f"{node.name}/index", number))
      stand_ins[f"{node.name}:1"] = kept[-1].name
    elif not alive if node.op == "Merge" else any(map(is_dead, node.input)):
      dead.add(node.name)
    elif node.name in switches:
      output = node.name if switches[node.name] else f"{node.name}:1"
      stand_ins[output] = canonical(inputs[0])
    else:
      kept.append(node)
  present = {node.name for node in kept}
  for node in kept:
    controls = [n for n in node.input if n[0] == "^" and n[1:] in present]
    node.input[:] = [*data_inputs(node), *controls]
  replace_nodes(graph_def, kept)
  resolve_chains(stand_ins)
  replace_inputs(graph_def, stand_ins)


def _constant_switches(graph_def: GraphDef) -> dict[str, bool]:
  """Outputs of switches whose condition is constant: whether it is taken."""
  known: dict[str, list[np.ndarray] | None] = {}
  found = {}
  for node in graph_def.node:
    if node.op == "Switch":
      condition = node.input[1]
      if condition not in known:
        known[condition] = constant_values(graph_def, [condition])
      values = known[condition]
      if values is not None:
        found[node.name] = not values[0]
        found[f"{node.name}:1"] = bool(values[0])
  return found


def _identity(merge: NodeDef, tensor: str) -> NodeDef:
  node = NodeDef(name=merge.name, op="Identity", input=[tensor])
  node.attr["T"].CopyFrom(merge.attr["T"])
  if "_output_shapes" in merge.attr:
    shapes = merge.attr["_output_shapes"].list.shape[:1]
    node.attr["_output_shapes"].list.shape.extend(shapes)
  return node
