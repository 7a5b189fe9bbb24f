"""Gradients that do not depend on the author's process.

`tf.custom_gradient` leaves an op whose attribute `_gradient_op_type` names a
Python function of this process. In any other process that is a LookupError
or, where the numbers collide, somebody else's gradient. The attribute must
not get out; without it TensorFlow differentiates the ops as they stand.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from absl import logging

from hub_image_export.compat import function_graphs, tf
from hub_image_export.graph_defs import GraphDef

_ATTRIBUTE = "_gradient_op_type"
_RELATIVE_TOLERANCE = 1e-3
_UNKNOWN_DIMENSION = 2
# The check adds ops to graphs that outlive it, such as a user's tf.function.
_SCOPE = "custom_gradient_check"


def drop_custom_gradients(graph_def: GraphDef) -> None:
  """Removes every reference to a registered gradient, in place."""
  bodies = [f.node_def for f in graph_def.library.function]
  for nodes in [graph_def.node, *bodies]:
    for node in nodes:
      node.attr.pop(_ATTRIBUTE, None)


def unnatural_gradients(graph: Any) -> list[str]:
  """Ops whose custom gradient is not the one that TensorFlow would take.

  Both are computed, in this process, on random values of the ops' arguments.
  Keras' swish is an example of a natural one; a straight-through estimator or
  a reversed gradient is not.

  Args:
    graph: the traced graph itself: the registered functions hold its tensors.

  Returns:
    Names of the ops, one for each kind of computation, in the graph's order.
  """
  found = []
  for part in [graph, *function_graphs(graph)]:
    known: dict[tuple, bool] = {}
    for op in part.get_operations():
      if _ATTRIBUTE not in op.node_def.attr or _is_of_the_check(op):
        continue
      kind = _kind(op)
      if kind not in known:
        known[kind] = _is_natural(op)
        if not known[kind]:
          found.append(op.name)
  return found


def _kind(op: Any) -> tuple:
  """What is alike for all calls of one function with a custom gradient."""
  producers = tuple(x.op.type for x in op.inputs)
  before = tuple(y.op.type for x in op.inputs for y in x.op.inputs)
  return op.type, producers, before


def _is_of_the_check(op: Any) -> bool:
  return op.name.startswith(_SCOPE)


def _is_natural(op: Any) -> bool:
  arguments = [x for x in _arguments(op) if x.dtype.is_floating]
  with op.graph.as_default(), tf.name_scope(_SCOPE):
    try:
      custom = [_gradients(y, arguments) for y in _results(op)]
    except LookupError:
      logging.warning(
        "The custom gradient of %r is not known in this process: the module "
        "has TensorFlow's own",
        op.name,
      )
      return True
    natural = [_gradients(y, arguments) for y in _natural_results(op)]
  pairs = []
  for ours, theirs in zip(sum(custom, []), sum(natural, [])):
    if (ours is None) != (theirs is None):
      return False
    if ours is not None:
      pairs.append((ours, theirs))
  return all(_is_close(a, b) for a, b in _evaluate(op, arguments, pairs))


def _gradients(result: Any, arguments: list[Any]) -> list[Any]:
  if not result.dtype.is_floating:
    return [None] * len(arguments)
  return tf.compat.v1.gradients(result, arguments)


def _arguments(op: Any) -> list[Any]:
  if op.type != "IdentityN":
    return list(op.inputs)
  results = {y.value_index for y in _results(op)}
  return [x for i, x in enumerate(op.inputs) if i not in results]


def _results(op: Any) -> list[Any]:
  return [
    y
    for y in op.outputs
    if not all(_is_of_the_check(user) for user in y.consumers())
  ]


def _natural_results(op: Any) -> list[Any]:
  """The same results on a way that avoids the registered gradient.

  `tf.custom_gradient` passes results and arguments through one IdentityN;
  its results are computed from its arguments by ops of their own.
  """
  if op.type == "IdentityN":
    return [op.inputs[y.value_index] for y in _results(op)]
  plain = GraphDef(node=[op.node_def])
  drop_custom_gradients(plain)
  inputs = dict(zip(op.node_def.input, op.inputs))
  names = [f"{op.name}:{y.value_index}" for y in _results(op)]
  return tf.import_graph_def(plain, inputs, names, name="natural")


def _evaluate(op: Any, arguments: list[Any], pairs: list[tuple]) -> list:
  random = np.random.RandomState(0)
  feeds = {
    x.name: random.normal(size=_known_shape(x)).astype(x.dtype.as_numpy_dtype)
    for x in arguments
  }
  with tf.compat.v1.Session(graph=op.graph) as session:
    return session.run(pairs, feeds)


def _known_shape(tensor: Any) -> list[int]:
  if tensor.shape.rank is None:
    return [_UNKNOWN_DIMENSION]
  return [size or _UNKNOWN_DIMENSION for size in tensor.shape.as_list()]


def _is_close(a: Any, b: Any) -> bool:
  scale = max(np.max(np.abs(a), initial=0.0), np.max(np.abs(b), initial=0.0))
  return bool(np.max(np.abs(a - b), initial=0.0) <= _RELATIVE_TOLERANCE * scale)
