"""Variables in a TF1 graph, all in one import.

`get_variable` takes milliseconds for each variable. Here the five nodes of
every variable (handle, initial value, assignment, initialized?, read) are
written into one GraphDef, and made variables again from their protos.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hub_image_export import contract
from hub_image_export.compat import ResourceVariable, tf, variable_pb2
from hub_image_export.graph_defs import GraphDef
from hub_image_export.variables import Variable


def add_variables(variables: tuple[Variable, ...]) -> dict[str, Any]:
  """Adds variables to the current graph and its collections.

  Their initial values are zeros: real values come from a checkpoint.

  Returns:
    From a variable's name to the tensor with its handle.
  """
  nodes = GraphDef()
  nodes.versions.producer = tf.version.GRAPH_DEF_VERSION
  for variable in variables:
    nodes.node.extend(_nodes(variable))
  tf.import_graph_def(nodes, name="")
  graph = tf.compat.v1.get_default_graph()
  handles = {}
  for variable in variables:
    made = ResourceVariable.from_proto(_proto(variable))
    handles[variable.name] = graph.get_tensor_by_name(f"{variable.name}:0")
    tf.compat.v1.add_to_collection(contract.VARIABLES, made)
    if variable.trainable:
      tf.compat.v1.add_to_collection(contract.TRAINABLE_VARIABLES, made)
  return handles


def _nodes(variable: Variable) -> list[Any]:
  name, dtype = variable.name, variable.dtype
  shape = _const(
    f"{name}/Initializer/shape", np.array(variable.shape, np.int32)
  )
  zero = _const(f"{name}/Initializer/zero", np.zeros([], dtype.as_numpy_dtype))
  fill = _node(f"{name}/Initializer/zeros", "Fill", [shape.name, zero.name])
  fill.attr["T"].type = dtype.as_datatype_enum
  fill.attr["index_type"].type = tf.int32.as_datatype_enum
  handle = _node(name, "VarHandleOp", [])
  handle.attr["shape"].shape.CopyFrom(variable.shape.as_proto())
  handle.attr["shared_name"].s = name.encode()
  handle.attr["container"].s = b""
  assign = _node(f"{name}/Assign", "AssignVariableOp", [name, fill.name])
  read = _node(f"{name}/Read/ReadVariableOp", "ReadVariableOp", [name])
  for node in (handle, assign, read):
    node.attr["dtype"].type = dtype.as_datatype_enum
  initialized = _node(
    f"{name}/IsInitialized/VarIsInitializedOp", "VarIsInitializedOp", [name]
  )
  return [shape, zero, fill, handle, assign, initialized, read]


def _node(name: str, op: str, inputs: list[str]) -> Any:
  return tf.compat.v1.NodeDef(name=name, op=op, input=inputs)


def _const(name: str, value: np.ndarray) -> Any:
  node = _node(name, "Const", [])
  tensor = tf.make_tensor_proto(value)
  node.attr["value"].tensor.CopyFrom(tensor)
  node.attr["dtype"].type = tensor.dtype
  return node


def _proto(variable: Variable) -> Any:
  name = variable.name
  return variable_pb2.VariableDef(
    variable_name=f"{name}:0",
    initial_value_name=f"{name}/Initializer/zeros:0",
    initializer_name=f"{name}/Assign",
    snapshot_name=f"{name}/Read/ReadVariableOp:0",
    is_resource=True,
    trainable=variable.trainable,
  )
