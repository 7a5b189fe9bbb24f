# SPDX-License-Identifier: Apache-2.0
"""Variables in a TF1 graph, all in one import.

`get_variable` takes milliseconds for each variable. Here the nodes of all
variables (a handle and a read of each) are written into one GraphDef, and the
collections hold what is exported of a variable: its proto.

A module's variables have no initial values of their own: `hub.Module` lets its
checkpoint initialize them. One initializer that does nothing stands for all.
Who runs it by mistake keeps the values that were restored, or is told by
TensorFlow of variables without values.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from hub_image_export import contract
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import (
  GraphDef,
  NodeDef,
  VariableDef,
)
from hub_image_export.weights.variable import Variable


@dataclasses.dataclass(frozen=True)
class VariableTensors:
  """A variable's handle, and its value wherever nothing orders the reading."""

  handle: Any
  value: Any


class VariableNodes:
  """The nodes of a module's variables: made once, added to each variant."""

  def __init__(self, variables: tuple[Variable, ...]) -> None:
    nothing = NodeDef(name=free_scope("initialize", variables), op="NoOp")
    nodes = [node for v in variables for node in variable_nodes(v)]
    self._graph_def = GraphDef(node=[nothing, *nodes])
    self._graph_def.versions.producer = tf.version.GRAPH_DEF_VERSION
    self._protos = [_proto(v, initializer=nothing.name) for v in variables]

  def add(self) -> dict[str, VariableTensors]:
    """Adds the variables to the current graph and its collections.

    Returns:
      The tensors of each variable by its name.
    """
    tf.import_graph_def(self._graph_def, name="")
    graph = tf.compat.v1.get_default_graph()
    tensors = {}
    for proto in self._protos:
      variable = _InCollection(proto)
      graph.add_to_collection(contract.VARIABLES, variable)
      if proto.trainable:
        graph.add_to_collection(contract.TRAINABLE_VARIABLES, variable)
      name = proto.variable_name.partition(":")[0]
      tensors[name] = VariableTensors(
        handle=graph.get_tensor_by_name(proto.variable_name),
        value=graph.get_tensor_by_name(proto.snapshot_name),
      )
    return tensors


@dataclasses.dataclass(frozen=True)
class _InCollection:
  """A variable of a graph that is exported, and never run."""

  proto: Any

  @property
  def name(self) -> str:
    return self.proto.variable_name

  def to_proto(self, export_scope: str | None = None) -> Any:
    del export_scope  # Graphs are exported whole.
    return self.proto


def free_scope(scope: str, variables: tuple[Variable, ...]) -> str:
  """A scope of this name, or nearly, with which no variable's name begins."""
  taken = {v.name.split("/")[0] for v in variables}
  while scope in taken:
    scope += "_"
  return scope


def _read_name(variable: Variable) -> str:
  """TensorFlow 1.15 looks for it under this name."""
  return f"{variable.name}/Read/ReadVariableOp"


def variable_nodes(variable: Variable) -> list[NodeDef]:
  """Its handle, and a read of its value."""
  name, dtype = variable.name, variable.dtype
  handle = NodeDef(name=name, op="VarHandleOp")
  handle.attr["shape"].shape.CopyFrom(variable.shape.as_proto())
  handle.attr["shared_name"].s = name.encode()
  handle.attr["container"].s = b""
  read = NodeDef(name=_read_name(variable), op="ReadVariableOp", input=[name])
  for node in (handle, read):
    node.attr["dtype"].type = dtype.as_datatype_enum
  return [handle, read]


def _proto(variable: Variable, initializer: str) -> Any:
  name = variable.name
  return VariableDef(
    variable_name=f"{name}:0",
    initializer_name=initializer,
    snapshot_name=f"{_read_name(variable)}:0",
    is_resource=True,
    trainable=variable.trainable,
  )
