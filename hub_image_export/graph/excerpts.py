# SPDX-License-Identifier: Apache-2.0
"""Excerpts of a graph: what computes some tensors from some others.

A session takes all of its graph, and gradients look at all that follows a
tensor. In an excerpt both have a few ops of a large network.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from hub_image_export.graph.graph_defs import constant_node, drop_attribute
from hub_image_export.tensorflow_api import private
from hub_image_export.tensorflow_api.protos import GraphDef, NodeDef

_UNKNOWN_DIMENSION = 2
# What a tensor is computed from: constants alone, other parts of the network,
# or the tensors at which the excerpt begins.
_CONSTANTS, _ELSEWHERE, _GIVEN = range(3)


def key(tensor: Any) -> str:
  """A name for the tensor's value; a variable may be read several times."""
  if tensor.op.type != "ReadVariableOp":
    return tensor.name
  handle = tensor.op.inputs[0]
  while handle.op.type in ("Identity", "IdentityN"):
    handle = handle.op.inputs[handle.value_index]
  return f"value of {handle.name}"


def excerpt(
  tensors: list[Any], given: Iterable[Any]
) -> tuple[GraphDef, list[str], dict[str, Any]]:
  """Takes out what computes tensors from placeholders.

  These stand for `given`, and for whatever real numbers come from other parts
  of the network. Integers and bools from there are computed, from placeholders
  further up or from ones. Control inputs are left out: the values that are fed
  may violate what they assert.

  Args:
    tensors: of one graph.
    given: those of its tensors at which the excerpt begins.

  Returns:
    The excerpt; the names of `tensors` in it; and its placeholders, each with
    one of the tensors that it stands for.
  """
  graph = tensors[0].graph
  graph_def = GraphDef(versions=graph.graph_def_versions)
  names: dict[str, str] = {}
  placeholders: dict[str, Any] = {}

  def begin(tensor: Any, node: NodeDef) -> None:
    names[key(tensor)] = node.name + ":0"
    graph_def.node.append(node)

  def begin_at(tensor: Any) -> None:
    name = f"excerpt/{len(placeholders)}"
    placeholders[name + ":0"] = tensor
    begin(tensor, _placeholder(name, tensor))

  for tensor in given:
    if key(tensor) not in names:
      begin_at(tensor)
  origins = _origins(tensors, set(names))
  pending = list(tensors)
  seen = set()
  while pending:
    tensor = pending.pop()
    op = tensor.op
    if key(tensor) in names or op.name in seen:
      continue
    if origins[op.name] == _ELSEWHERE:
      if tensor.dtype.is_floating:
        begin_at(tensor)
        continue
      if op.type == "ReadVariableOp" or not op.inputs:
        ones = np.ones(known_shape(tensor), tensor.dtype.as_numpy_dtype)
        begin(tensor, constant_node(f"excerpt/of_{op.name}", ones))
        continue
    seen.add(op.name)
    pending += op.inputs
  for name in seen:
    op = graph.get_operation_by_name(name)
    node = graph_def.node.add()
    node.CopyFrom(op.node_def)
    del node.input[:]
    node.input.extend(names.get(key(x), x.name) for x in op.inputs)
  drop_attribute(graph_def, "_class")  # It names ops that are left out.
  private.copy_functions(graph, graph_def)
  return graph_def, [names.get(key(x), x.name) for x in tensors], placeholders


def known_shape(tensor: Any) -> list[int]:
  """A shape that the tensor may have."""
  if tensor.shape.rank is None:
    return [_UNKNOWN_DIMENSION]
  return [size or _UNKNOWN_DIMENSION for size in tensor.shape.as_list()]


def _placeholder(name: str, tensor: Any) -> NodeDef:
  node = NodeDef(name=name, op="Placeholder")
  node.attr["dtype"].type = tensor.dtype.as_datatype_enum
  node.attr["shape"].shape.CopyFrom(tensor.shape.as_proto())
  return node


def _origins(tensors: list[Any], given: set[str]) -> dict[str, int]:
  """What the ops behind tensors compute from, by their names."""
  found: dict[str, int] = {}
  entered = set()
  pending = [x.op for x in tensors]
  while pending:
    op = pending[-1]
    before = [x for x in op.inputs if key(x) not in given]
    missing = [x.op for x in before if x.op.name not in entered]
    if op.name not in entered and missing:
      entered.add(op.name)
      pending += missing
      continue
    entered.add(op.name)
    pending.pop()
    is_given = len(before) < len(op.inputs)
    found[op.name] = max(
      # A loop's own ops are still unknown: they are of no constants.
      (found.get(x.op.name, _ELSEWHERE) for x in before),
      default=_GIVEN if is_given else _of_no_inputs(op),
    )
    if is_given:
      found[op.name] = _GIVEN
    elif op.op_def.is_stateful:
      found[op.name] = max(found[op.name], _ELSEWHERE)
  return found


def _of_no_inputs(op: Any) -> int:
  return _CONSTANTS if op.type == "Const" else _ELSEWHERE
