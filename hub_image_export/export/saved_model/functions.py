# SPDX-License-Identifier: Apache-2.0
"""Functions of a graph's library, written from GraphDefs.

A function spells tensors `node:output_name:index` where a graph has
`node:index`. That needs the definition of each op, and nothing else.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping

import numpy as np

from hub_image_export.export.saved_model.callables import Part
from hub_image_export.graph.graph_defs import (
  constant_node,
  node_of,
  output_index,
)
from hub_image_export.tensorflow_api import known_ops, private
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import FunctionDef, NodeDef
from hub_image_export.weights.variable import Variable

# A loader takes names apart that look as TensorFlow's own do, and shows the
# middle in traces and profiles.
_VARIABLE = "variable"
_NAME = "__inference_{label}_{number}"


@dataclasses.dataclass(frozen=True)
class Signature:
  """What goes in and out of a function.

  Attributes:
    inputs: what is given, by name, in order.
    variables: captured ones, which follow the inputs.
    outputs: by key; a function gives them in the order of sorted keys.
  """

  inputs: dict[str, tf.TensorSpec]
  variables: tuple[Variable, ...]
  outputs: dict[str, tf.TensorSpec]


def of_part(label: str, part: Part, signature: Signature) -> FunctionDef:
  """The function that computes a part's outputs, and makes its updates."""
  taken = {node_of(node.name).split("/")[0] for node in part.graph_def.node}
  prefix = _free(_VARIABLE, taken)
  function = _begin(signature, prefix)
  captured = {
    v.name: f"{prefix}_{i}" for i, v in enumerate(signature.variables)
  }
  arguments = {name: name for name in signature.inputs}
  arguments.update({n: captured[v] for n, v in part.placeholders.items()})
  spelling = _Spelling(part, arguments)
  for node in part.graph_def.node:
    if node.name not in arguments:
      added = function.node_def.add()
      added.CopyFrom(node)
      added.input[:] = spelling.inputs(node)
  scope = _free("outputs", taken)
  results = [spelling.tensor(part.outputs[k]) for k in sorted(part.outputs)]
  _give(function, results, signature, scope)
  for update in part.updates:
    function.signature.control_output.append(update)
    function.control_ret[update] = update
  return _named(function, label)


def of_call(
  label: str,
  called: FunctionDef,
  signature: Signature,
  defaults: Mapping[str, float],
) -> FunctionDef:
  """A function that calls another one with its own inputs.

  Args:
    label: for the name.
    called: may have inputs that `signature` does not have.
    signature: of the new function; the variables are the same.
    defaults: of those inputs, by their names.
  """
  function = _begin(signature, _VARIABLE)
  inputs = []
  for argument in called.signature.input_arg:
    name = argument.name
    if name in defaults:
      value = np.float32(defaults[name])
      function.node_def.append(constant_node(name, value))
      name += ":output:0"
    inputs.append(name)
  function.node_def.append(call_node("call", called, inputs))
  results = [f"call:output:{i}" for i in range(len(signature.outputs))]
  _give(function, results, signature, "outputs")
  function.signature.control_output.append("call")
  function.control_ret["call"] = "call"
  return _named(function, label)


def call_node(name: str, called: FunctionDef, inputs: Iterable[str]) -> NodeDef:
  node = NodeDef(name=name, op="StatefulPartitionedCall", input=inputs)
  node.attr["f"].func.name = called.signature.name
  for attribute, arguments in (
    ("Tin", called.signature.input_arg),
    ("Tout", called.signature.output_arg),
  ):
    types = node.attr[attribute].list
    types.SetInParent()
    types.type.extend(argument.type for argument in arguments)
  for attribute in ("config", "config_proto", "executor_type"):
    node.attr[attribute].s = b""
  return node


def _begin(signature: Signature, prefix: str) -> FunctionDef:
  """A function with arguments, and nothing in it."""
  function = FunctionDef()
  shapes = function.attr["_input_shapes"].list
  for i, (name, spec) in enumerate(signature.inputs.items()):
    function.signature.input_arg.add(
      name=name, type=spec.dtype.as_datatype_enum
    )
    shape = spec.shape.as_proto()
    shapes.shape.append(shape)
    attributes = function.arg_attr[i].attr
    attributes["_output_shapes"].list.shape.append(shape)
    attributes["_user_specified_name"].s = name.encode()
  for i, variable in enumerate(signature.variables):
    argument = function.signature.input_arg.add(
      name=f"{prefix}_{i}", type=tf.resource.as_datatype_enum
    )
    argument.handle_data.add(
      dtype=variable.dtype.as_datatype_enum, shape=variable.shape.as_proto()
    )
    shapes.shape.add()
  return function


def _give(
  function: FunctionDef,
  results: list[str],
  signature: Signature,
  scope: str,
) -> None:
  """Lets a function return tensors, with the shapes that they have."""
  for i, (tensor, key) in enumerate(zip(results, sorted(signature.outputs))):
    spec = signature.outputs[key]
    dtype = spec.dtype.as_datatype_enum
    node = NodeDef(name=f"{scope}/{i}", op="Identity", input=[tensor])
    node.attr["T"].type = dtype
    node.attr["_output_shapes"].list.shape.append(spec.shape.as_proto())
    function.node_def.append(node)
    function.signature.output_arg.add(name=f"output_{i}", type=dtype)
    function.ret[f"output_{i}"] = f"{node.name}:output:0"
  function.signature.is_stateful = any(
    not known_ops.only_computes(node.op) for node in function.node_def
  )


def _named(function: FunctionDef, label: str) -> FunctionDef:
  """Names a function by its content: the loader's regular expression wants
  a number at the end.
  """
  content = function.SerializeToString(deterministic=True)
  number = int(hashlib.sha256(content).hexdigest()[:15], 16)
  function.signature.name = _NAME.format(label=label, number=number)
  return function


def _free(name: str, taken: set[str]) -> str:
  while any(other.startswith(name) for other in taken):
    name += "_"
  return name


class _Spelling:
  """Names of a graph's tensors, as a function has them."""

  def __init__(self, part: Part, arguments: Mapping[str, str]) -> None:
    """`arguments`: the function's, by the nodes that stand for them."""
    self._nodes = {node.name: node for node in part.graph_def.node}
    self._arguments = arguments
    self._outputs: dict[str, list[str]] = {}

  def inputs(self, node: NodeDef) -> list[str]:
    """Arguments are there from the start: nothing need wait for them."""
    return [
      name if name[0] == "^" else self.tensor(name)
      for name in node.input
      if name[0] != "^" or name[1:] not in self._arguments
    ]

  def tensor(self, name: str) -> str:
    node = node_of(name)
    if node in self._arguments:
      return self._arguments[node]
    if node not in self._outputs:
      self._outputs[node] = list(_outputs(self._nodes[node]))
    return f"{node}:{self._outputs[node][output_index(name)]}"


def _outputs(node: NodeDef) -> Iterable[str]:
  """What a function calls each of a node's outputs: `"y:0"`."""
  for output in private.op_def(node.op).output_arg:
    count = 1
    if output.number_attr:
      count = node.attr[output.number_attr].i
    elif output.type_list_attr:
      count = len(node.attr[output.type_list_attr].list.type)
    yield from (f"{output.name}:{i}" for i in range(count))
