# SPDX-License-Identifier: Apache-2.0
"""Random steps made comparable: every draw gives one value, on both sides.

Fractions are 0.75, which keeps what dropout of less than 0.75 might drop,
integers the lowest that they may be, and nothing is shuffled.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hub_image_export.tensorflow_api import eager_ops, private
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import (
  FunctionDef,
  GraphDef,
  NodeDef,
)

_VALUE = 0.75
# Ops that draw floats, by the input with the shape.
_FLOATS = {
  "RandomUniform": 0,
  "RandomStandardNormal": 0,
  "TruncatedNormal": 0,
  "StatelessRandomUniform": 0,
  "StatelessRandomNormal": 0,
  "StatelessTruncatedNormal": 0,
  "StatelessRandomUniformV2": 0,
  "StatelessRandomNormalV2": 0,
  "StatelessTruncatedNormalV2": 0,
  "StatefulUniform": 2,
  "StatefulStandardNormal": 1,
  "StatefulStandardNormalV2": 2,
  "StatefulTruncatedNormal": 2,
}
# Ops that draw integers, by the inputs with the shape and the lowest.
_INTEGERS = {
  "RandomUniformInt": (0, 1),
  "StatelessRandomUniformInt": (0, 2),
  "StatelessRandomUniformIntV2": (0, 4),
  "StatefulUniformInt": (2, 3),
}
_SHUFFLES = frozenset({"RandomShuffle", "StatelessShuffle"})


@contextlib.contextmanager
def eager_draws() -> Iterator[eager_ops.Handler]:
  """Gives a handler of eager ops, and of calls of functions, that fixes draws.

  A function that draws has a copy that does not; it is called in its place.
  """
  with eager_ops.functions_added() as add:
    functions = _Functions(add)

    def handle(op: str, arguments: Sequence[Any], run: Any) -> Any:
      other = functions.in_place_of(op)
      return run(arguments, other) if other else _draw(op, arguments, run)

    yield handle


class _Functions:
  """Functions of the eager context, and their copies without draws."""

  def __init__(self, add: Callable[[FunctionDef], None]) -> None:
    self._add = add
    self._names: dict[str, str | None] = {}

  def in_place_of(self, name: str) -> str | None:
    """The name of the copy; None for functions without draws, and for ops."""
    if name not in self._names:
      self._names[name] = None
      definition = eager_ops.function_def(name)
      if definition is not None and self._fix(definition):
        self._names[name] = definition.signature.name = (
          f"{name}_drawn_{id(self)}"
        )
        self._add(definition)
    return self._names[name]

  def _fix(self, definition: FunctionDef) -> bool:
    found = _fix_all(definition.node_def, ":output:0") > 0
    for node in definition.node_def:
      other = self.in_place_of(node.op)
      if other:
        node.op, found = other, True
      for value in node.attr.values():
        for called in [value.func, *value.list.func]:
          other = self.in_place_of(called.name)
          if other:
            called.name, found = other, True
    return found


def _draw(op: str, arguments: Sequence[Any], run: Any) -> Any:
  """Runs an eager op, or gives the fixed value of a draw."""
  if op in _FLOATS:
    dtype = tf.float32
    for name, value in zip(arguments, arguments[1:]):
      if isinstance(name, str) and name == "dtype":
        dtype = tf.as_dtype(value)
    shape = tf.cast(arguments[_FLOATS[op]], tf.int32)
    return tf.fill(shape, tf.cast(_VALUE, dtype))
  if op in _INTEGERS:
    shape, lowest = (arguments[i] for i in _INTEGERS[op])
    return tf.fill(tf.cast(shape, tf.int32), tf.convert_to_tensor(lowest))
  if op in _SHUFFLES:
    return tf.identity(arguments[0])
  return run(arguments)


def fix(graph_def: GraphDef) -> int:
  """Gives the draws of a graph, and of its functions, fixed values, in place.

  Returns:
    The number of draws.
  """
  count = _fix_all(graph_def.node, "")
  for body in graph_def.library.function:
    count += _fix_all(body.node_def, ":output:0")
  return count


def _fix_all(nodes: Any, output: str) -> int:
  """Fixes nodes; `output` follows a name where the output is meant."""
  constants: dict[int, NodeDef] = {}
  count = sum(_fix(node, constants, output) for node in list(nodes))
  nodes.extend(constants.values())
  return count


def _fix(node: NodeDef, constants: dict[int, NodeDef], output: str) -> bool:
  if node.op in _SHUFFLES:
    _become(node, "Identity", node.input[:1], T=node.attr["T"].type)
    return True
  if node.op not in _FLOATS and node.op not in _INTEGERS:
    return False  # Not even asked for attributes, which would make them.
  dtype = _type(node, ("Tout", "dtype"))
  if node.op in _FLOATS:
    constant = constants.setdefault(dtype, _constant(dtype))
    inputs = [node.input[_FLOATS[node.op]], constant.name + output]
  else:
    inputs = [node.input[i] for i in _INTEGERS[node.op]]
  index_type = _type(node, ("Tshape", "shape_dtype", "T"))
  _become(node, "Fill", inputs, T=dtype, index_type=index_type)
  return True


def _become(node: NodeDef, op: str, inputs: Sequence[str], **types: Any):
  controls = [name for name in node.input if name.startswith("^")]
  node.op = op
  node.input[:] = [*inputs, *controls]
  node.attr.clear()
  for name, value in types.items():
    node.attr[name].type = value


def _type(node: NodeDef, names: Sequence[str]) -> Any:
  """That of the attribute with one of the names.

  Nodes of modules and functions do not have the attributes whose values are
  the defaults.
  """
  definition = private.op_def(node.op)
  given = {a.name: a.default_value.type for a in definition.attr}
  name = next(name for name in names if name in given)
  return node.attr[name].type if name in node.attr else given[name]


def _constant(dtype: Any) -> NodeDef:
  """Under a name that no network has."""
  node = NodeDef(name=f"fixed_draw_of_type_{dtype}", op="Const")
  node.attr["dtype"].type = dtype
  value = tf.cast(_VALUE, tf.as_dtype(dtype)).numpy()
  node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
  return node
