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

from hub_image_export.graph import custom_gradient_ops, excerpts
from hub_image_export.graph.graph_defs import drop_attribute
from hub_image_export.tensorflow_api import private
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import GraphDef

_RELATIVE_TOLERANCE = 1e-3
_UNKNOWN_DIMENSION = 2


def drop_custom_gradients(graph_def: GraphDef) -> None:
  """Removes every reference to a registered gradient, in place."""
  drop_attribute(graph_def, private.CUSTOM_GRADIENT)


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
  for body in private.function_graphs(graph, graph_def.library):
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
  arguments = {
    x.name: x for x in custom_gradient_ops.arguments(op) if x.dtype.is_floating
  }
  results = [y for y in custom_gradient_ops.results(op) if y.dtype.is_floating]
  try:
    custom = [_custom_gradients(y, arguments) for y in results]
  except LookupError:
    logging.warning(
      "The custom gradient of %r is not known in this process: the module has "
      "TensorFlow's own",
      op.name,
    )
    return True
  return all(_is_of(y, arguments, x) for y, x in zip(results, custom))


def _is_of(
  result: Any, arguments: dict[str, Any], custom: dict[str, Any]
) -> bool:
  """Whether TensorFlow gives a result the gradients for its arguments."""
  random = np.random.RandomState(0)
  values = {
    name: random.normal(size=_known_shape(x)).astype(x.dtype.as_numpy_dtype)
    for name, x in arguments.items()
  }
  needed = [_natural_result(result), *arguments.values(), *custom.values()]
  graph_def, names = excerpts.excerpt(needed, values)
  drop_custom_gradients(graph_def)
  with tf.Graph().as_default() as graph:
    y, *copies = tf.import_graph_def(graph_def, None, names, name="")
    try:
      gradients = tf.compat.v1.gradients(y, copies[: len(arguments)])
    except LookupError:  # TensorFlow has none.
      return False
    natural = {
      name: tf.convert_to_tensor(gradient)
      for name, gradient in zip(arguments, gradients)
      if gradient is not None
    }
  if natural.keys() != custom.keys():
    return False
  custom = dict(zip(custom, copies[len(arguments) :]))
  pairs = [(custom[name], natural[name]) for name in natural]
  return all(_is_close(a, b) for a, b in _evaluate(graph, pairs))


def _custom_gradients(result: Any, arguments: dict[str, Any]) -> dict[str, Any]:
  """The gradients that a registered function gives, by the arguments' names.

  Raises:
    LookupError: it is not known in this process.
  """
  op = result.op
  found: dict[str, Any] = {}
  with op.graph.as_default(), tf.name_scope(custom_gradient_ops.CHECK_SCOPE):
    of_results = [
      tf.ones_like(y) if y.name == result.name else _zeros(y)
      for y in op.outputs
    ]
    of_inputs = private.gradient_function(op)(op, *of_results)
    if not isinstance(of_inputs, (list, tuple)):
      of_inputs = [of_inputs]
    for x, gradient in zip(op.inputs, of_inputs):
      if gradient is not None and x.name in arguments:
        gradient = tf.convert_to_tensor(gradient)
        # The same tensor may be an argument twice.
        found[x.name] = (
          found[x.name] + gradient if x.name in found else gradient
        )
  return found


def _zeros(output: Any) -> Any:
  differentiable = output.dtype.is_floating or output.dtype.is_complex
  return tf.zeros_like(output) if differentiable else None


def _natural_result(result: Any) -> Any:
  """The same result on a way that avoids the registered gradient.

  `tf.custom_gradient` passes results and arguments through one IdentityN;
  its results are computed from its arguments by ops of their own.
  """
  op = result.op
  return op.inputs[result.value_index] if op.type == "IdentityN" else result


def _evaluate(graph: Any, pairs: list[tuple]) -> list[tuple]:
  # Its optimizers would take longer than these few ops.
  config = tf.compat.v1.ConfigProto()
  config.graph_options.rewrite_options.disable_meta_optimizer = True
  with tf.compat.v1.Session(graph=graph, config=config) as session:
    return session.run(pairs)


def _size(op: Any) -> int:
  return sum(np.prod(_known_shape(x), dtype=int) for x in op.inputs)


def _known_shape(tensor: Any) -> list[int]:
  if tensor.shape.rank is None:
    return [_UNKNOWN_DIMENSION]
  return [size or _UNKNOWN_DIMENSION for size in tensor.shape.as_list()]


def _is_close(a: Any, b: Any) -> bool:
  scale = max(np.max(np.abs(a), initial=0.0), np.max(np.abs(b), initial=0.0))
  return a.shape == b.shape and bool(
    np.max(np.abs(a - b), initial=0.0) <= _RELATIVE_TOLERANCE * scale
  )
