# SPDX-License-Identifier: Apache-2.0
"""Graphs of TF1's training programs, made fit to be part of a function.

A `.meta` file has all that a program had: optimizers, savers, queues of
images. What a network computes, and how its averages move, is kept.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from hub_image_export.graph import custom_gradients as gradients, ref_variables
from hub_image_export.graph.graph_defs import (
  ASSIGNMENTS,
  ancestors,
  canonical,
  data_inputs,
  drop_attribute,
  node_of,
)
from hub_image_export.graph.state_ops import LOOKS, READS, WRITES
from hub_image_export.tensorflow_api import private
from hub_image_export.tensorflow_api.protos import GraphDef, NodeDef

VARIABLE_OPS = ref_variables.VARIABLE_OPS | {"VarHandleOp"}
_ASSIGNMENTS = ASSIGNMENTS | frozenset(ref_variables.ASSIGNMENTS)
_OF_VARIABLES = VARIABLE_OPS | _ASSIGNMENTS | READS | WRITES | LOOKS
_DRAWS = frozenset({"TruncatedNormal", "Multinomial"})
_APPLIES = ("Apply", "SparseApply", "ResourceApply", "ResourceSparseApply")


def fit_for_functions(
  graph_def: GraphDef, updates: Collection[str], replaced: Collection[str]
) -> GraphDef:
  """A copy without what trains and feeds; its variables are resources.

  The nodes of variables are still there: whoever imports it puts handles in
  the place of `name:0` as far as reads and assignments take them. Reading
  `name:0` of a reference variable gives its value.

  Args:
    graph_def: of a meta graph.
    updates: the entries of UPDATE_OPS.
    replaced: tensors for which others will stand.
  """
  result = GraphDef()
  result.CopyFrom(graph_def)
  drop_attribute(result, "_class")
  for node in result.node:
    node.device = ""
  gradients.drop_custom_gradients(result)
  cut = {canonical(name) for name in replaced}
  moving = ancestors(result, updates)
  dropped = _with_descendants(
    result, (n.name for n in result.node if not _is_kept(n, moving)), cut
  )
  kept = GraphDef(versions=result.versions, library=result.library)
  kept.node.extend(n for n in result.node if n.name not in dropped)
  return ref_variables.use_resources(kept)


def _is_kept(node: NodeDef, moving: Collection[str]) -> bool:
  if node.op.startswith(_APPLIES):
    return False
  if node.op in _ASSIGNMENTS:  # Not initializers, nor what restores.
    return node.name in moving
  if node.op in _OF_VARIABLES or node.op in _DRAWS or "Random" in node.op:
    return True
  definition = private.op_def(node.op)
  return definition is None or not (
    definition.is_stateful
    or any(argument.is_ref for argument in definition.input_arg)
    and node.op not in ref_variables.VALUES
  )


def _with_descendants(
  graph_def: GraphDef, names: Iterable[str], cut: Collection[str]
) -> set[str]:
  """The nodes, and all that need one, but for tensors that are replaced."""
  consumers: dict[str, list[str]] = {}
  for node in graph_def.node:
    data = [i for i in data_inputs(node) if canonical(i) not in cut]
    orders = [i for i in node.input if i[0] == "^" and i[1:] not in cut]
    for name in map(node_of, (*data, *orders)):
      consumers.setdefault(name, []).append(node.name)
  found = set(names)
  pending = list(found)
  while pending:
    for name in consumers.get(pending.pop(), ()):
      if name not in found:
        found.add(name)
        pending.append(name)
  return found
