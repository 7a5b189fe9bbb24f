# SPDX-License-Identifier: Apache-2.0
"""Variables of old TF1 graphs, as resource variables.

Until TensorFlow 1.x had resource variables, a variable was an op with a
reference as its output, and reading it was no op at all. Graphs of today's
modules, and functions on eager variables, want resources.
"""

from __future__ import annotations

from typing import Any

from hub_image_export.arguments import called
from hub_image_export.graph.graph_defs import canonical, node_of
from hub_image_export.tensorflow_api import private
from hub_image_export.tensorflow_api.protos import GraphDef

VARIABLE_OPS = frozenset({"VariableV2", "Variable"})
ASSIGNMENTS = {
  "Assign": "AssignVariableOp",
  "AssignAdd": "AssignAddVariableOp",
  "AssignSub": "AssignSubVariableOp",
}
VALUES = {
  "RefIdentity": "Identity",
  "RefSwitch": "Switch",
  "RefMerge": "Merge",
  "RefEnter": "Enter",
  "RefExit": "Exit",
  "RefNextIteration": "NextIteration",
}


def use_resources(graph_def: GraphDef) -> GraphDef:
  """A copy in which reference variables are handles of resources.

  Their nodes keep their names, and whoever imports the graph has to put
  handles in their place.

  Raises:
    ValueError: something else than reading and assigning is done to one.
  """
  dtypes = {
    node.name: node.attr["dtype"].type
    for node in graph_def.node
    if node.op in VARIABLE_OPS
  }
  result = GraphDef(versions=graph_def.versions, library=graph_def.library)
  if not dtypes:
    result.CopyFrom(graph_def)
    return result
  read_after: dict[str, str] = {}
  for node in graph_def.node:
    copied = result.node.add()
    copied.CopyFrom(node)
    if node.op in ASSIGNMENTS and node_of(node.input[0]) in dtypes:
      read_after[node.name] = f"{node.name}/read_after"
      _assign(copied)
    elif node.op in VALUES:
      copied.op = VALUES[node.op]
  for name, dtype in dtypes.items():
    _add_read(result, f"{name}/read_value", name, dtype, [])
  for node in graph_def.node:
    if node.name in read_after:
      variable = node_of(node.input[0])
      _add_read(
        result,
        read_after[node.name],
        variable,
        dtypes[variable],
        [f"^{node.name}"],
      )
  reads = {name: f"{name}/read_value" for name in dtypes}
  _redirect(result, {**reads, **read_after}, set(dtypes))
  _refuse_others(result, {*reads.values(), *read_after.values()})
  return result


def _assign(node) -> None:
  node.op = ASSIGNMENTS[node.op]
  dtype = node.attr["T"].type
  node.attr.clear()
  node.attr["dtype"].type = dtype


def _add_read(
  graph_def: GraphDef, name: str, variable: str, dtype: Any, after: list[str]
) -> None:
  node = graph_def.node.add(
    name=name, op="ReadVariableOp", input=[variable, *after]
  )
  node.attr["dtype"].type = dtype


def _redirect(
  graph_def: GraphDef, values: dict[str, str], variables: set[str]
) -> None:
  """Lets all who want a value read it; handles go to reads and assignments."""
  takes_handle = {"ReadVariableOp", *ASSIGNMENTS.values()}
  for node in graph_def.node:
    for i, tensor in enumerate(node.input):
      name = canonical(tensor)
      is_handle = i == 0 and node.op in takes_handle and name in variables
      if name in values and not is_handle:
        node.input[i] = values[name]


def _refuse_others(graph_def: GraphDef, reads: set[str]) -> None:
  """Ops that take references and have no counterpart here."""
  for node in graph_def.node:
    definition = private.op_def(node.op)
    arguments = definition.input_arg if definition else ()
    for tensor, argument in zip(node.input, arguments):
      if argument.is_ref and tensor in reads:
        raise ValueError(
          f"the op {node.name!r} ({node.op}) changes a reference variable in a "
          "way that a module's training variant cannot: expected reading and "
          "assigning only. Leave the training variant out with "
          f"{called('training', False)}"
        )
