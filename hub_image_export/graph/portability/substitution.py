# SPDX-License-Identifier: Apache-2.0
"""How a rewrite puts several nodes in the place of one."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from hub_image_export.graph import graph_defs
from hub_image_export.tensorflow_api import private
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import AttrValue, GraphDef, NodeDef

Shape = list["int | None"]


def attr_value(value: Any) -> AttrValue:
  """The AttrValue of a Python value."""
  if isinstance(value, AttrValue):
    return value
  if isinstance(value, tf.DType):
    return AttrValue(type=value.as_datatype_enum)
  if isinstance(value, bool):
    return AttrValue(b=value)
  if isinstance(value, int):
    return AttrValue(i=value)
  return AttrValue(tensor=tf.make_tensor_proto(value))


class Substitution:
  """The nodes that take the place of one node.

  Nothing is replaced where a rewrite adds no nodes. The last node is added
  with `finish` or `compute`: it has the name of the old one, so that
  consumers, and outputs known by their names, stay as they are.

  Attributes:
    node: The node to replace.
    added: The new nodes, in topological order.
    redirected: Outputs of the old node that come from elsewhere now.
  """

  def __init__(
    self,
    node: NodeDef,
    nodes: dict[str, NodeDef],
    constants: dict[Any, str],
  ) -> None:
    """Args: `constants` has those of other substitutions, for this one, too."""
    self.node = node
    self.added: list[NodeDef] = []
    self.redirected: dict[str, str] = {}
    self._nodes = nodes
    self._constants = constants

  def input_node(self, index: int) -> NodeDef:
    """The node that gives an input."""
    return self._nodes[graph_defs.node_of(self.node.input[index])]

  def input_shape(self, index: int) -> Shape:
    """The static shape of an input; empty for unknown rank."""
    output = graph_defs.output_index(self.node.input[index])
    return graph_defs.output_shape(self.input_node(index), output) or []

  def constant_input(self, index: int) -> np.ndarray | None:
    """The value of an input that is a constant, through identities."""
    source = graph_defs.passed_on(
      self._nodes, self.node.input[index], {"Identity"}
    )
    node = self._nodes[graph_defs.node_of(source)]
    if node.op != "Const":
      return None
    return tf.make_ndarray(node.attr["value"].tensor)

  def attr(self, name: str) -> Any:
    """An attribute of the node as a Python value; lists are of integers."""
    value = self.node.attr[name]
    kind = value.WhichOneof("value")
    if kind == "list":
      return list(value.list.i)
    return value.s.decode() if kind == "s" else getattr(value, kind or "s")

  def add(self, op: str, inputs: Iterable[str], **attrs: Any) -> str:
    """Adds a node, named after its op below the old node; gives its name."""
    return self._append(self._free_name(op), op, inputs, attrs)

  def constant(self, value: Any, dtype: Any = np.int32) -> str:
    array = np.asarray(value, dtype)
    content = array.dtype, array.shape, array.tobytes()
    if content in self._constants:
      return self._constants[content]
    name = self.add("Const", [], dtype=tf.as_dtype(array.dtype), value=array)
    shape = tf.TensorShape(array.shape).as_proto()
    self.added[-1].attr["_output_shapes"].list.shape.append(shape)
    self._constants[content] = name
    return name

  def finish(self, op: str, inputs: Iterable[str], **attrs: Any) -> None:
    """Adds the node that has the old one's name, and its output shapes."""
    controls = [name for name in self.node.input if name.startswith("^")]
    self._append(self.node.name, op, [*inputs, *controls], attrs)
    if "_output_shapes" in self.node.attr:
      shapes = self.node.attr["_output_shapes"].list.shape[:1]
      self.added[-1].attr["_output_shapes"].list.shape.extend(shapes)

  def compute(self, function: Callable[..., Any]) -> None:
    """Replaces the node by what TensorFlow makes of a Python function.

    Args:
      function: from the node's inputs, as tensors, to its output, or a list
        of outputs.
    """
    with tf.Graph().as_default() as graph:
      given = [
        tf.compat.v1.placeholder(dtype, self.input_shape(i) or None)
        for i, dtype in enumerate(_input_types(self.node))
      ]
      outputs = tf.nest.flatten(function(*given))
    names = dict(zip((x.op.name for x in given), self.node.input))

    def renamed(tensor: str) -> str:
      name, _, output = tensor.partition(":")
      if output in ("", "0"):
        return names[name]
      return f"{names[name]}:{output}"

    for node in graph.as_graph_def(add_shapes=True).node:
      if node.name not in names:
        names[node.name] = self._free_name(node.name)
        node.name = names[node.name]
        node.input[:] = map(renamed, node.input)
        node.device = self.node.device
        self._nodes[node.name] = node
        self.added.append(node)
    for i, output in enumerate(outputs):
      self.redirected[f"{self.node.name}:{i}"] = renamed(output.name)
    first = self.redirected.pop(f"{self.node.name}:0")
    self.finish("Identity", [first], T=outputs[0].dtype)

  def like(self, *inputs: Any, **attrs: Any) -> Any:
    """The same op on other tensors, within a function for `compute`.

    Args:
      attrs: those that differ from the node's, as Python values.
    """
    definition = private.op_def(self.node.op)
    same = {
      attr.name: self.attr(attr.name)
      for attr in definition.attr
      if attr.type != "type" and attr.name in self.node.attr
    }
    names = [argument.name for argument in definition.input_arg]
    op = getattr(tf.raw_ops, self.node.op)
    return op(**dict(zip(names, inputs)), **{**same, **attrs})

  def _free_name(self, name: str) -> str:
    base = name = f"{self.node.name}/{name}"
    count = 0
    while name in self._nodes:
      count += 1
      name = f"{base}_{count}"
    return name

  def _append(
    self, name: str, op: str, inputs: Iterable[str], attrs: dict[str, Any]
  ) -> str:
    node = NodeDef(name=name, op=op, input=inputs, device=self.node.device)
    for key, value in attrs.items():
      node.attr[key].CopyFrom(attr_value(value))
    self.added.append(node)
    self._nodes[name] = node
    return name


def _input_types(node: NodeDef) -> list[Any]:
  """The types of the inputs of an op that has no lists of several types."""
  found = []
  for argument in private.op_def(node.op).input_arg:
    count = node.attr[argument.number_attr].i if argument.number_attr else 1
    dtype = argument.type or node.attr[argument.type_attr].type
    found += [tf.dtypes.as_dtype(dtype)] * count
  return found


_Rewrite = Callable[[NodeDef, Substitution], None]


def rewrite_of(*ops: str) -> Callable[[_Rewrite], Callable[[GraphDef], int]]:
  """Makes a rewrite of graphs out of one of nodes, as a decorator.

  Args:
    ops: The ops that the decorated function wants to see.
  """

  def decorated(rewrite: _Rewrite) -> Callable[[GraphDef], int]:
    @functools.wraps(rewrite)
    def of_graph(graph_def: GraphDef) -> int:
      return substitute(graph_def, ops, rewrite)

    return of_graph

  return decorated


def substitute(
  graph_def: GraphDef,
  ops: Sequence[str],
  rewrite: _Rewrite,
) -> int:
  """Replaces nodes, in place, and returns how many.

  Args:
    graph_def: Changed by this call.
    ops: The ops that `rewrite` wants to see.
    rewrite: Adds the new nodes, if any, to the substitution it is given.
  """
  wanted = [node for node in graph_def.node if node.op in ops]
  nodes = graph_defs.nodes_by_name(graph_def) if wanted else {}
  redirected: dict[str, str] = {}
  constants: dict[Any, str] = {}
  count = 0
  for node in wanted:
    substitution = Substitution(node, nodes, constants)
    rewrite(node, substitution)
    redirected.update(substitution.redirected)
    if substitution.added:
      *new, successor = substitution.added
      graph_def.node.extend(new)
      node.CopyFrom(successor)
      count += 1
  if redirected:
    graph_defs.replace_inputs(graph_def, redirected)
  return count


def attrs_of(node: NodeDef, *names: str) -> dict[str, AttrValue]:
  """Copies of attributes of a node, to give to a new one."""
  return {name: node.attr[name] for name in names if name in node.attr}
