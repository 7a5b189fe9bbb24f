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

from hub_image_export import custom_gradient_ops
from hub_image_export.compat import function_graphs, tf
from hub_image_export.graph_defs import GraphDef

_RELATIVE_TOLERANCE = 1e-3
_UNKNOWN_DIMENSION = 2


def drop_custom_gradients(graph_def: GraphDef) -> None:
  """Removes every reference to a registered gradient, in place."""
  bodies = [f.node_def for f in graph_def.library.function]
  for nodes in [graph_def.node, *bodies]:
    for node in nodes:
      node.attr.pop(custom_gradient_ops.ATTRIBUTE, None)


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
  graph_def = graph.as_graph_def()
  parts = [(graph, graph_def)]
  for body in function_graphs(graph, graph_def.library):
    parts.append((body, body.as_graph_def()))
  for part, part_def in parts:
    kinds: dict[tuple, list[Any]] = {}
    for name in custom_gradient_ops.names(part_def):
      op = part.get_operation_by_name(name)
      kinds.setdefault(custom_gradient_ops.kind(op), []).append(op)
    found += [ops[0].name for ops in kinds.values() if not _is_natural(ops)]
  return found


def _is_natural(ops: list[Any]) -> bool:
  """Tries the one of these ops, all of one kind, that takes least."""
  op = min(ops, key=_size)
  arguments = [
    x for x in custom_gradient_ops.arguments(op) if x.dtype.is_floating
  ]
  with op.graph.as_default(), tf.name_scope(custom_gradient_ops.CHECK_SCOPE):
    try:
      custom = [
        _gradients(y, arguments) for y in custom_gradient_ops.results(op)
      ]
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


def _natural_results(op: Any) -> list[Any]:
  """The same results on a way that avoids the registered gradient.

  `tf.custom_gradient` passes results and arguments through one IdentityN;
  its results are computed from its arguments by ops of their own.
  """
  if op.type == "IdentityN":
    return [op.inputs[y.value_index] for y in custom_gradient_ops.results(op)]
  plain = GraphDef(node=[op.node_def])
  drop_custom_gradients(plain)
  inputs = dict(zip(op.node_def.input, op.inputs))
  names = [
    f"{op.name}:{y.value_index}" for y in custom_gradient_ops.results(op)
  ]
  return tf.import_graph_def(plain, inputs, names, name="natural")


def _evaluate(op: Any, arguments: list[Any], pairs: list[tuple]) -> list:
  random = np.random.RandomState(0)
  feeds = {
    x.name: random.normal(size=_known_shape(x)).astype(x.dtype.as_numpy_dtype)
    for x in arguments
  }
  # Its optimizers would look at all of the network before these ops.
  config = tf.compat.v1.ConfigProto()
  config.graph_options.rewrite_options.disable_meta_optimizer = True
  with tf.compat.v1.Session(graph=op.graph, config=config) as session:
    return session.run(pairs, feeds)


def _size(op: Any) -> int:
  return sum(np.prod(_known_shape(x), dtype=int) for x in op.inputs)


def _known_shape(tensor: Any) -> list[int]:
  if tensor.shape.rank is None:
    return [_UNKNOWN_DIMENSION]
  return [size or _UNKNOWN_DIMENSION for size in tensor.shape.as_list()]


def _is_close(a: Any, b: Any) -> bool:
  scale = max(np.max(np.abs(a), initial=0.0), np.max(np.abs(b), initial=0.0))
  return bool(np.max(np.abs(a - b), initial=0.0) <= _RELATIVE_TOLERANCE * scale)
