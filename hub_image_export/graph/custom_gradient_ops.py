# SPDX-License-Identifier: Apache-2.0
"""Ops whose gradient is a Python function of this process.

`tf.custom_gradient` passes the results of a function, then its arguments, then
the variables that it reads, through one IdentityN, which carries the gradient;
`tf.RegisterGradient` and `gradient_override_map` do the same to any op.
"""

from __future__ import annotations

import dataclasses
import functools
import types
from typing import Any

import numpy as np

from hub_image_export.tensorflow_api import private
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import GraphDef

# A check of gradients adds ops to graphs that outlive it, such as a user's
# tf.function; the slash keeps their scope out of any other.
_CHECK_SCOPE = "custom_gradient_check/"
_NUMBERS = (bool, int, float, complex, str, bytes, type(None))


@dataclasses.dataclass(frozen=True)
class Call:
  """A call of an op's registered gradient function.

  Attributes:
    results: what is differentiated, on a way without that function.
    upstream: for each result, the tensor that the function took for the
      gradient of what follows.
    gradients: the op's arguments, each with the function's gradient for it, or
      None.
  """

  results: list[Any]
  upstream: list[Any]
  gradients: list[tuple[Any, Any]]


def names(graph_def: GraphDef) -> list[str]:
  """Names of the ops with such a gradient."""
  return [
    node.name
    for node in graph_def.node
    if private.CUSTOM_GRADIENT in node.attr
    and not node.name.startswith(_CHECK_SCOPE)
  ]


def check_scope() -> Any:
  """Where ops are added to a user's graph; `names` leaves them out."""
  return tf.name_scope(_CHECK_SCOPE)


def call(op: Any, function: Any) -> Call:
  """Calls the op's registered function, in the op's own graph."""
  results = [y for y in _results(op) if y.dtype.is_floating]
  read = {y.name for y in results}
  first = _first_argument(op)
  with op.graph.as_default(), check_scope():
    upstream = [_upstream(y, y.name in read) for y in op.outputs]
    found = function(op, *upstream)
    if not isinstance(found, (list, tuple)):
      found = [found]
    gradients = [None if g is None else tf.convert_to_tensor(g) for g in found]
  return Call(
    results=[op.inputs[y.value_index] if first else y for y in results],
    upstream=[upstream[y.value_index] for y in results],
    gradients=list(zip(op.inputs, gradients))[first:],
  )


def differentiated_inputs(op: Any) -> list[Any]:
  """The inputs that a gradient goes on to, if one comes to the op."""
  if op.type == "StopGradient":
    return []
  inputs = op.inputs
  if op.type == "IdentityN" and private.CUSTOM_GRADIENT in op.node_def.attr:
    inputs = inputs[_first_argument(op) :]
  return [
    x
    for x in inputs
    if not x.dtype.is_integer and x.dtype not in (tf.bool, tf.string)
  ]


def kind(op: Any) -> tuple:
  """What is alike for all calls of one function with a custom gradient."""
  try:
    function = _content(private.gradient_function(op), set())
  except LookupError:
    function = None
  return op.type, function, _way_to(op)


def _upstream(output: Any, is_read: bool) -> Any:
  if not output.dtype.is_floating and not output.dtype.is_complex:
    return None
  # The identity keeps it apart from constants of the function's own.
  return tf.identity((tf.ones_like if is_read else tf.zeros_like)(output))


def _results(op: Any) -> list[Any]:
  """The outputs that anything reads, or that their function returns."""
  returned = {y.name for y in getattr(op.graph, "outputs", ())}
  return [
    y
    for y in op.outputs
    if y.name in returned
    or not all(user.name.startswith(_CHECK_SCOPE) for user in y.consumers())
  ]


def _first_argument(op: Any) -> int:
  """Index of the first input that is no result."""
  if op.type != "IdentityN":
    return 0
  return max((y.value_index + 1 for y in _results(op)), default=0)


def _content(value: Any, seen: set[int]) -> Any:
  """What tells functions of the same Python code apart: what they hold.

  Tensors and variables are left out, whose values a check chooses; constants
  are not. Other objects may hold anything: each is of its own kind.
  """
  if id(value) in seen:
    return None
  if isinstance(value, _NUMBERS):
    return value
  if isinstance(value, (np.ndarray, np.generic)):
    return value.dtype.str, value.tobytes()
  seen = {*seen, id(value)}
  if isinstance(value, types.FunctionType):
    cells = [c.cell_contents for c in value.__closure__ or () if _is_set(c)]
    held = [*cells, value.__defaults__, value.__kwdefaults__]
    return value.__code__, _content(held, seen)
  if isinstance(value, types.MethodType):
    return _content([value.__func__, value.__self__], seen)
  if isinstance(value, functools.partial):
    return _content([value.func, value.args, value.keywords], seen)
  if isinstance(value, dict):
    return _content([*value.keys(), *value.values()], seen)
  if isinstance(value, (list, tuple)):
    return tuple(_content(item, seen) for item in value)
  if tf.is_tensor(value) or isinstance(value, tf.Variable):
    op = getattr(value, "op", None)
    if op is None or op.type != "Const":
      return value.dtype.name
    return op.node_def.attr["value"].SerializeToString(deterministic=True)
  return id(value)


def _is_set(cell: Any) -> bool:
  try:
    return cell.cell_contents is not cell
  except ValueError:  # A name without a value.
    return False


def _way_to(op: Any) -> tuple[str, ...]:
  """Types of the ops between the arguments and the results."""
  if op.type != "IdentityN":
    return ()
  first = _first_argument(op)
  seen = {x.name for x in op.inputs[first:]}
  pending = list(op.inputs[:first])
  found = []
  while pending:
    tensor = pending.pop()
    if tensor.name not in seen:
      seen.add(tensor.name)
      found.append(tensor.op.type)
      pending.extend(tensor.op.inputs)
  return tuple(found)
