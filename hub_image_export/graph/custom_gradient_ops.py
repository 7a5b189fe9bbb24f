"""Ops whose gradient is a Python function of this process.

`tf.custom_gradient` passes the results and then the arguments of a function
through one IdentityN, which carries the gradient; `tf.RegisterGradient` and
`gradient_override_map` do the same to any op.
"""

from __future__ import annotations

import types
from typing import Any

from hub_image_export.tensorflow_api import private
from hub_image_export.tensorflow_api.protos import GraphDef

# A check of gradients adds ops to graphs that outlive it, such as a user's
# tf.function; the slash keeps their scope out of any other.
CHECK_SCOPE = "custom_gradient_check/"


def names(graph_def: GraphDef) -> list[str]:
  """Names of the ops with such a gradient."""
  return [
    node.name
    for node in graph_def.node
    if private.CUSTOM_GRADIENT in node.attr
    and not node.name.startswith(CHECK_SCOPE)
  ]


def arguments(op: Any) -> list[Any]:
  """The tensors for which the registered function gives gradients."""
  if op.type != "IdentityN":
    return list(op.inputs)
  given = {y.value_index for y in results(op)}
  return [x for i, x in enumerate(op.inputs) if i not in given]


def results(op: Any) -> list[Any]:
  """The outputs that anything reads, or that their function returns."""
  returned = {y.name for y in getattr(op.graph, "outputs", ())}
  return [
    y
    for y in op.outputs
    if y.name in returned
    or not all(_is_of_a_check(user) for user in y.consumers())
  ]


def kind(op: Any) -> tuple:
  """What is alike for all calls of one function with a custom gradient."""
  return op.type, _registered(op), _way_to(op)


def _registered(op: Any) -> tuple:
  """The Python code of the op's gradient, with the numbers that it holds."""
  try:
    return _code(private.gradient_function(op))
  except LookupError:
    return ()


def _code(function: Any) -> tuple:
  held = []
  for cell in getattr(function, "__closure__", None) or ():
    try:
      value = cell.cell_contents
    except ValueError:  # A name without a value.
      continue
    if isinstance(value, types.FunctionType):
      held.append(_code(value))
    elif isinstance(value, (bool, int, float, str)):
      held.append(value)
  return getattr(function, "__code__", id(function)), *held


def _way_to(op: Any) -> tuple[str, ...]:
  """Types of the ops between the arguments and the results."""
  if op.type != "IdentityN":
    return ()
  seen = {x.name for x in arguments(op)}
  pending = [op.inputs[y.value_index] for y in results(op)]
  found = []
  while pending:
    tensor = pending.pop()
    if tensor.name not in seen:
      seen.add(tensor.name)
      found.append(tensor.op.type)
      pending.extend(tensor.op.inputs)
  return tuple(found)


def _is_of_a_check(op: Any) -> bool:
  return op.name.startswith(CHECK_SCOPE)
