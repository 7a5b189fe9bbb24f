# SPDX-License-Identifier: Apache-2.0
"""What a step of training changes: one assignment for each variable (F4)."""

from __future__ import annotations

import collections
from collections.abc import Iterable

from absl import logging

from hub_image_export.graph.called_functions import called, drop_uncalled
from hub_image_export.graph.graph_defs import (
  ancestors,
  canonical,
  data_inputs,
  node_of,
  nodes_by_name,
)
from hub_image_export.graph.program_order import in_program_order
from hub_image_export.graph.state_functions import Functions
from hub_image_export.graph.state_ops import (
  DRAWS,
  PASSES,
  WRITES,
  Cell,
  NodeMaker,
)
from hub_image_export.graph.state_values import Walk
from hub_image_export.tensorflow_api.protos import GraphDef, NodeDef


def state_as_values(
  graph_def: GraphDef, cells: dict[str, Cell], run: Iterable[str]
) -> tuple[GraphDef, list[str]]:
  """Makes values of all that a graph does to variables.

  Args:
    graph_def: without calls of functions at its top; control inputs tell the
      order of its ops. Its nodes are changed.
    cells: the variables, by the placeholders of their handles.
    run: names of the tensors and ops that the source runs. Assignments of
      unordered variables that none of them depends on never happen.

  Returns:
    `(graph, updates)`: the graph, without control inputs and without
    assignments but for those named by `updates`: one for each variable that
    changes.

  Raises:
    ValueError: an op does to a variable what no value can stand for.
  """
  functions = Functions(graph_def)
  nodes = in_program_order(graph_def.node)
  handles = _all_handles(nodes, cells)
  last = functions.last(handles)
  if last is not None:
    never = _never_run(graph_def, filter(last, nodes), run)
    nodes = in_program_order(nodes, last)
    nodes = [node for node in nodes if node.name not in never]
  make = NodeMaker({node.name for node in nodes}, in_function=False)
  walk = Walk(functions, make, cells)
  walk.run(nodes)
  kept, assignments = _assign(walk)
  result = GraphDef(versions=graph_def.versions, library=graph_def.library)
  result.library.function.extend(functions.copies)
  result.node.extend([*walk.nodes_without_writes(kept), *assignments])
  drop_uncalled(result)
  return result, [*kept, *(node.name for node in assignments)]


def _all_handles(
  nodes: list[NodeDef], cells: dict[str, Cell]
) -> dict[str, Cell]:
  """Tensors that stand for variables: placeholders, and what hands them on."""
  found = dict(cells)
  for node in nodes:
    if node.op in PASSES:
      for i, tensor in enumerate(data_inputs(node)):
        if canonical(tensor) in found:
          found[canonical(f"{node.name}:{i}")] = found[canonical(tensor)]
  return found


def _never_run(
  graph_def: GraphDef, writes: Iterable[NodeDef], run: Iterable[str]
) -> set[str]:
  needed = ancestors(graph_def, run)
  found = {node.name for node in writes if node.name not in needed}
  if found:
    logging.warning(
      "The ops %s change variables, but neither an output nor UPDATE_OPS "
      "depends on them: dropped, as no step of training runs them. Add them "
      "to tf.compat.v1.GraphKeys.UPDATE_OPS if it should",
      sorted(found)[:5],
    )
  return found


def _assign(walk: Walk) -> tuple[list[str], list[NodeDef]]:
  """Names of assignments that stay, and those that are new, one a variable."""
  kept, new = [], []
  for cell, written in walk.written.items():
    last = written[-1]
    if not walk.has_value(cell):  # In control flow of TensorFlow 1.
      kept += [node.name for node in written]
    elif len(written) == 1 and walk.is_pending(cell) and last.op not in DRAWS:
      kept.append(last.name)
    else:
      name = last.name
      if called(last):
        name = walk.make.free_name(f"{walk.handle(cell)}/assign")
      node = NodeDef(
        name=name,
        op="AssignVariableOp",
        input=[walk.handle(cell), walk.value(cell)],
      )
      node.attr["dtype"].type = cell.dtype.as_datatype_enum
      new.append(node)
  return kept, new


def assign_after_reads(graph_def: GraphDef, updates: Iterable[str]) -> None:
  """Lets each assignment wait for those who read its variable, in place.

  A consumer runs outputs and UPDATE_OPS at once, and outputs see the values
  from before the step. What the assigned value is computed from has been read
  by then: batch norm needs no edge.
  """
  nodes = nodes_by_name(graph_def)
  assigned = {name: canonical(nodes[name].input[0]) for name in updates}
  readers: dict[str, list[str]] = {h: [] for h in assigned.values()}
  for node in graph_def.node if readers else ():
    if node.op not in WRITES:
      for tensor in map(canonical, data_inputs(node)):
        if tensor in readers:
          readers[tensor].append(node.name)
  for update, handle in assigned.items():
    waiting = set(readers[handle])
    # Mostly one read, close by: it is not looked for in the whole graph.
    pending = collections.deque([update] if waiting else [])
    seen = {update}
    while pending and waiting:
      for name in map(node_of, nodes[pending.popleft()].input):
        if name not in seen:
          seen.add(name)
          waiting.discard(name)
          pending.append(name)
    nodes[update].input.extend(f"^{name}" for name in sorted(waiting))
