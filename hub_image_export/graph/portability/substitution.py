"""How a rewrite puts several nodes in the place of one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Union

import numpy as np

from hub_image_export.graph import graph_defs
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import AttrValue, GraphDef, NodeDef

Shape = Union[list[Union[int, None]], None]


def attr_value(value: Any) -> AttrValue:
  """The AttrValue of a Python value; lists are lists of integers."""
  if isinstance(value, AttrValue):
    return value
  if isinstance(value, tf.DType):
    return AttrValue(type=value.as_datatype_enum)
  if isinstance(value, bool):
    return AttrValue(b=value)
  if isinstance(value, int):
    return AttrValue(i=value)
  if isinstance(value, float):
    return AttrValue(f=value)
  if isinstance(value, str):
    return AttrValue(s=value.encode())
  if isinstance(value, np.ndarray):
    return AttrValue(tensor=tf.make_tensor_proto(value))
  return AttrValue(list=AttrValue.ListValue(i=value))


def _shape_attr(shape: Shape) -> AttrValue:
  proto = tf.TensorShape(shape).as_proto()
  return AttrValue(list=AttrValue.ListValue(shape=[proto]))


class Substitution:
  """The nodes that take the place of one node.

  Nothing is replaced where a rewrite adds no nodes. The last node is to be
  added with `finish`: it has the name of the old one, so that consumers, and
  outputs known by their names, stay as they are.

  Attributes:
    node: The node to replace.
    added: The new nodes, in topological order.
    redirected: Outputs of the old node that come from elsewhere now.
  """

  def __init__(self, node: NodeDef, nodes: dict[str, NodeDef]):
    self.node = node
    self.added: list[NodeDef] = []
    self.redirected: dict[str, str] = {}
    self._nodes = nodes

  def input_node(self, index: int) -> NodeDef:
    """The node that gives an input."""
    return self._nodes[graph_defs.node_of(self.node.input[index])]

  def input_shape(self, index: int) -> Shape:
    """The static shape of an input; None for unknown rank."""
    output = graph_defs.output_index(self.node.input[index])
    return graph_defs.output_shape(self.input_node(index), output)

  def constant_input(self, index: int) -> np.ndarray | None:
    """The value of an input that is a constant, through identities."""
    source = graph_defs.passed_on(
      self._nodes, self.node.input[index], {"Identity"}
    )
    node = self._nodes[graph_defs.node_of(source)]
    if node.op != "Const":
      return None
    return tf.make_ndarray(node.attr["value"].tensor)

  def add(
    self, op: str, inputs: Iterable[str], *, shape: Shape = None, **attrs: Any
  ) -> str:
    """Adds a node, named after its op below the old node; gives its name."""
    base = name = f"{self.node.name}/{op}"
    count = 0
    while name in self._nodes:
      count += 1
      name = f"{base}_{count}"
    return self._append(name, op, inputs, shape, attrs)

  def constant(self, value: Any, dtype: Any = np.int32) -> str:
    array = np.asarray(value, dtype)
    dtype = tf.as_dtype(array.dtype)
    return self.add(
      "Const", [], shape=list(array.shape), dtype=dtype, value=array
    )

  def finish(self, op: str, inputs: Iterable[str], **attrs: Any) -> None:
    """Adds the node that has the old one's name, and its output shapes."""
    controls = [name for name in self.node.input if name.startswith("^")]
    self._append(self.node.name, op, [*inputs, *controls], None, attrs)
    if "_output_shapes" in self.node.attr:
      shapes = self.node.attr["_output_shapes"].list.shape[:1]
      self.added[-1].attr["_output_shapes"].list.shape.extend(shapes)

  def _append(
    self,
    name: str,
    op: str,
    inputs: Iterable[str],
    shape: Shape,
    attrs: dict[str, Any],
  ) -> str:
    node = NodeDef(name=name, op=op, input=inputs, device=self.node.device)
    for key, value in attrs.items():
      node.attr[key].CopyFrom(attr_value(value))
    if shape is not None:
      node.attr["_output_shapes"].CopyFrom(_shape_attr(shape))
    self.added.append(node)
    self._nodes[name] = node
    return name


def substitute(
  graph_def: GraphDef,
  ops: Sequence[str],
  rewrite: Callable[[NodeDef, Substitution], None],
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
  count = 0
  for node in wanted:
    substitution = Substitution(node, nodes)
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
