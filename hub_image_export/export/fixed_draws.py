# SPDX-License-Identifier: Apache-2.0
"""Random steps made comparable: every draw gives one value, on both sides.

Fractions are 0.75, which keeps what dropout of less than 0.75 might drop,
integers the lowest that they may be, and nothing is shuffled.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from hub_image_export.graph.graph_defs import constant_node
from hub_image_export.graph.random_state import (
  GENERATOR_OPS,
  PLAIN_DRAWS,
  SEED_INPUTS,
)
from hub_image_export.tensorflow_api import eager_ops, private
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import (
  FunctionDef,
  GraphDef,
  NodeDef,
)

_VALUE = 0.75
# Ops that draw integers from a range, by the input with the lowest.
_LOWEST = {
  "RandomUniformInt": 1,
  "StatefulUniformInt": 3,
  "StatelessRandomUniformInt": 2,
  "StatelessRandomUniformIntV2": 4,
}
# Ops that draw any integer of their type.
_FULL_RANGE = frozenset(
  {
    "StatefulUniformFullInt",
    "StatelessRandomUniformFullInt",
    "StatelessRandomUniformFullIntV2",
  }
)
_SHUFFLES = frozenset({"RandomShuffle", "StatelessShuffle"})
# What makes seeds, draws beyond all control, or has several outputs.
_OTHERS = frozenset(
  {
    "NonDeterministicInts",
    "RngReadAndSkip",
    "RngSkip",
    "SampleDistortedBoundingBox",
    "SampleDistortedBoundingBoxV2",
    "StatelessRandomGetKeyCounter",
    "StatelessRandomGetKeyCounterAlg",
  }
)
_DRAWS = (
  (PLAIN_DRAWS | GENERATOR_OPS | SEED_INPUTS.keys()) - _SHUFFLES - _OTHERS
)


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
  """Runs an eager op, and puts the fixed value in the place of a draw."""
  if op in _SHUFFLES:
    return tf.identity(arguments[0])
  drawn = run(arguments)
  if op not in _DRAWS:
    return drawn

  def fixed(tensor: Any) -> Any:
    chosen = op not in _LOWEST
    value = _value(op, tensor.dtype) if chosen else arguments[_LOWEST[op]]
    return tf.zeros_like(tensor) + tf.convert_to_tensor(value, tensor.dtype)

  return tf.nest.map_structure(fixed, drawn)  # One tensor, or a list of one.


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
  added: dict[str, NodeDef] = {}
  count = sum(_fix(node, added, output) for node in list(nodes))
  nodes.extend(added.values())
  return count


def _fix(node: NodeDef, added: dict[str, NodeDef], output: str) -> bool:
  """Fixes one; draws have one output, which is called `output`, as those of
  identities and constants are.
  """
  if node.op in _SHUFFLES:
    _become_identity(node, node.input[0], node.attr["T"].type)
    return True
  if node.op not in _DRAWS:
    return False  # Not even asked for attributes, which would make them.

  def add(op: str, *inputs: str) -> str:
    name = f"{node.name}/fixed_{op}"
    added[name] = NodeDef(name=name, op=op, input=inputs)
    added[name].attr["T"].type = dtype
    return name

  dtype = _drawn_type(node)
  drawn = NodeDef()
  drawn.CopyFrom(node)
  drawn.name = f"{node.name}/drawn"
  added[drawn.name] = drawn
  if node.op in _LOWEST:
    value = node.input[_LOWEST[node.op]]
  else:
    number = _value(node.op, tf.as_dtype(dtype))
    constant = constant_node(f"{node.name}/fixed", np.array(number))
    constant.input.append(f"^{drawn.name}")  # In the same loop of TF1.
    added[constant.name] = constant
    value = constant.name + output
  zeros = add("ZerosLike", drawn.name + output)
  fixed = add("AddV2", zeros + (output and ":y:0"), value)
  _become_identity(node, fixed + (output and ":z:0"), dtype)
  return True


def _become_identity(node: NodeDef, tensor: str, dtype: Any) -> None:
  controls = [name for name in node.input if name.startswith("^")]
  node.op = "Identity"
  node.input[:] = [tensor, *controls]
  node.attr.clear()
  node.attr["T"].type = dtype


def _drawn_type(node: NodeDef) -> Any:
  """That of the attribute which tells it.

  Nodes of modules and functions do not have the attributes whose values are
  the defaults.
  """
  definition = private.op_def(node.op)
  name = definition.output_arg[0].type_attr
  given = {a.name: a.default_value.type for a in definition.attr}
  return node.attr[name].type if name in node.attr else given[name]


def _value(op: str, dtype: Any) -> np.generic:
  """The value of a draw that says no lowest one.

  Modules draw integers of any value as signed ones, from the lowest on.
  """
  number = _VALUE if dtype.is_floating else 0
  if op in _FULL_RANGE:
    number = dtype.min or dtype.max // 2 + 1
  return tf.constant(number, dtype).numpy()
