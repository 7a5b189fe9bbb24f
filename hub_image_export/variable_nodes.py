"""Variables in a TF1 graph, all in one import.

`get_variable` takes milliseconds for each variable. Here the nodes of all
variables (handle, assignment of the initial value, read) are written into one
GraphDef, and the collections hold what is exported of a variable: its proto.
Variables of one shape and type share their initial value.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from hub_image_export import contract
from hub_image_export.compat import tf, variable_pb2
from hub_image_export.graph_defs import GraphDef, NodeDef, constant_node
from hub_image_export.variables import Variable


@dataclasses.dataclass(frozen=True)
class VariableTensors:
  """A variable's handle, and its value wherever nothing orders the reading."""

  handle: Any
  value: Any


class VariableNodes:
  """The nodes of a module's variables: made once, added to each variant."""

  def __init__(self, variables: tuple[Variable, ...]) -> None:
    zeros = _Zeros(free_scope("zeros", variables))
    nodes = [node for v in variables for node in _nodes(v, zeros.of(v))]
    self._graph_def = GraphDef(node=[*zeros.nodes.values(), *nodes])
    self._graph_def.versions.producer = tf.version.GRAPH_DEF_VERSION
    self._protos = [_proto(v, zeros.of(v)) for v in variables]

  def add(self) -> dict[str, VariableTensors]:
    """Adds the variables to the current graph and its collections.

    Their initial values are zeros: real values come from a checkpoint.

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


class _Zeros:
  """Nodes of zeros, one for each shape and type.

  Attributes:
    nodes: by name, all that were asked for and the constants that they read.
  """

  def __init__(self, scope: str) -> None:
    self.nodes: dict[str, NodeDef] = {}
    self._names: dict[tuple, str] = {}
    self._scope = scope

  def of(self, variable: Variable) -> str:
    """The name of the node with a variable's initial value."""
    key = tuple(variable.shape), variable.dtype
    if key not in self._names:
      self._names[key] = self._add(variable.shape, variable.dtype)
    return self._names[key]

  def _add(self, shape: Any, dtype: Any) -> str:
    name = f"{self._scope}/{len(self._names)}"
    zero = f"{self._scope}/{dtype.name}"
    if zero not in self.nodes:
      self.nodes[zero] = constant_node(zero, np.zeros([], dtype.as_numpy_dtype))
    dims = constant_node(f"{name}/shape", np.array(shape, np.int32))
    fill = _node(name, "Fill", [dims.name, zero])
    fill.attr["T"].type = dtype.as_datatype_enum
    fill.attr["index_type"].type = tf.int32.as_datatype_enum
    self.nodes.update({dims.name: dims, name: fill})
    return name


def _read_name(variable: Variable) -> str:
  """TensorFlow 1.15 looks for it under this name."""
  return f"{variable.name}/Read/ReadVariableOp"


def _nodes(variable: Variable, zeros: str) -> list[NodeDef]:
  name, dtype = variable.name, variable.dtype
  handle = _node(name, "VarHandleOp", [])
  handle.attr["shape"].shape.CopyFrom(variable.shape.as_proto())
  handle.attr["shared_name"].s = name.encode()
  handle.attr["container"].s = b""
  assign = _node(f"{name}/Assign", "AssignVariableOp", [name, zeros])
  read = _node(_read_name(variable), "ReadVariableOp", [name])
  for node in (handle, assign, read):
    node.attr["dtype"].type = dtype.as_datatype_enum
  return [handle, assign, read]


def _node(name: str, op: str, inputs: list[str]) -> NodeDef:
  return NodeDef(name=name, op=op, input=inputs)


def _proto(variable: Variable, zeros: str) -> Any:
  name = variable.name
  return variable_pb2.VariableDef(
    variable_name=f"{name}:0",
    initial_value_name=f"{zeros}:0",
    initializer_name=f"{name}/Assign",
    snapshot_name=f"{_read_name(variable)}:0",
    is_resource=True,
    trainable=variable.trainable,
  )
