# SPDX-License-Identifier: Apache-2.0
"""Gradients that do not depend on the author's process.

`tf.custom_gradient` leaves an op whose attribute `_gradient_op_type` names a
Python function of this process. In any other process that is a LookupError
or, where the numbers collide, somebody else's gradient. The attribute must
not get out; without it TensorFlow differentiates the ops as they stand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import filterfalse, islice
from typing import Any

import numpy as np
from absl import logging

from hub_image_export.graph import custom_gradient_ops
from hub_image_export.graph.excerpts import excerpt, key, known_shape
from hub_image_export.graph.gradient_probes import differences
from hub_image_export.graph.graph_defs import drop_attribute
from hub_image_export.tensorflow_api import private
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import GraphDef

_MOST_FINDINGS = 5


def drop_custom_gradients(graph_def: GraphDef) -> None:
  """Removes every reference to a registered gradient, in place."""
  drop_attribute(graph_def, private.CUSTOM_GRADIENT)


def unnatural_gradients(graph: Any, graph_def: GraphDef) -> dict[str, str]:
  """Ops whose custom gradient is not the one that TensorFlow would take.

  Both are computed, in this process, for arguments and upstream gradients of
  many sizes. Keras' swish is an example of a natural one; a straight-through
  estimator, a clipped or a reversed gradient is not. What no gradient reaches
  does not matter: behind `tf.stop_gradient`, or within a function that has a
  custom gradient itself; and neither do gradients for constants.

  Args:
    graph: the traced graph itself: the registered functions hold its tensors.
    graph_def: what it was when it was traced.

  Returns:
    From the name of an op to what is wrong with its gradient; one for each
    kind of computation, in the graph's order, and five at most.
  """
  return dict(islice(_findings(graph, graph_def), _MOST_FINDINGS))


def _findings(graph: Any, graph_def: GraphDef) -> Iterator[tuple[str, str]]:
  parts = [(graph, graph_def)]
  for body in private.function_graphs(graph, graph_def.library):
    parts.append((body, body.as_graph_def()))
  for part, part_def in parts:
    kinds: dict[tuple, list[Any]] = {}
    for name in custom_gradient_ops.names(part_def):
      op = part.get_operation_by_name(name)
      kinds.setdefault(custom_gradient_ops.kind(op), []).append(op)
    for ops in kinds.values():
      problem = _problem(min(ops, key=_size))
      if problem:
        reached = _ops_behind(part.outputs)
        yield from [(op.name, problem) for op in ops if op in reached][:1]


def _problem(op: Any) -> str | None:
  """What is wrong with the op's gradient, or None."""
  try:
    function = private.gradient_function(op)
  except LookupError:
    logging.warning(
      "The custom gradient of %r is not known in this process: the module has "
      "TensorFlow's own",
      op.name,
    )
    return None
  try:
    return _difference(custom_gradient_ops.call(op, function))
  except Exception as error:  # The function is the user's: it may do anything.
    first_line = str(error).partition("\n")[0]
    return f"cannot be compared ({type(error).__name__}: {first_line:.200})"


def _difference(call: custom_gradient_ops.Call) -> str | None:
  """Where both gradients differ, or None."""
  if not call.results:
    return None
  custom = _by_value(call)
  arguments = [x for x, _ in call.gradients if x.dtype.is_floating]
  graph_def, names, placeholders = excerpt(
    [*call.results, *custom.values()],
    [*filterfalse(_is_constant, arguments), *call.upstream],
  )
  drop_custom_gradients(graph_def)
  with tf.Graph().as_default() as graph:
    found = tf.import_graph_def(
      graph_def, None, [*names, *placeholders], name=""
    )
    results, found = found[: len(call.results)], found[len(call.results) :]
    given = dict(zip(custom, found))
    fed = dict(zip(map(key, placeholders.values()), found[len(custom) :]))
    upstream = [fed.pop(key(dy)) for dy in call.upstream]
    try:
      natural = tf.compat.v1.gradients(results, list(fed.values()), upstream)
    except LookupError as error:
      return f"TensorFlow has none: {error}"
    pairs = {
      name: _pair(given.get(name), gradient)
      for name, gradient in zip(fed, natural)
      if given.get(name) is not None or gradient is not None
    }
  different = differences(
    graph, pairs, list(fed.values()), dict(zip(upstream, results))
  )
  tensors = {key(x): x for x in placeholders.values()}
  for name, what in different:
    if _is_trained(tensors[name]):
      return f"for {tensors[name].op.name} {what}"
  return None


def _by_value(call: custom_gradient_ops.Call) -> dict[str, Any]:
  """The function's gradients by what they are for.

  What is an argument twice gets the sum: a tensor, or a variable.
  """
  found: dict[str, Any] = {}
  with call.results[0].graph.as_default(), custom_gradient_ops.check_scope():
    for x, gradient in call.gradients:
      if gradient is not None and x.dtype.is_floating:
        name = key(x)
        found[name] = found[name] + gradient if name in found else gradient
  return found


def _pair(custom: Any, natural: Any) -> tuple[Any, Any]:
  """Both as tensors; one that is missing is zero."""
  if natural is None:
    return custom, tf.zeros_like(custom)
  natural = tf.convert_to_tensor(natural)
  return tf.zeros_like(natural) if custom is None else custom, natural


def _size(op: Any) -> int:
  return sum(np.prod(known_shape(x), dtype=int) for x in op.inputs)


def _is_constant(tensor: Any) -> bool:
  while tensor.op.type in ("Identity", "Cast"):
    tensor = tensor.op.inputs[0]
  return tensor.op.type == "Const"


def _is_trained(tensor: Any) -> bool:
  """Whether a gradient for it goes on to a variable, or to the images."""
  graph = tensor.graph
  trained = {id(v.handle) for v in private.variables(graph) if v.trainable}
  constant = {
    placeholder.op.name
    for outside, placeholder in private.captures(graph)
    if hasattr(outside, "numpy") and id(outside) not in trained
  }
  return any(
    not op.inputs and op.type != "Const" and op.name not in constant
    for op in _ops_behind([tensor])
  )


def _ops_behind(tensors: Iterable[Any]) -> set[Any]:
  """The ops that gradients of these tensors come to."""
  pending = [x.op for x in tensors]
  found = set(pending)
  while pending:
    for x in custom_gradient_ops.differentiated_inputs(pending.pop()):
      if x.op not in found:
        found.add(x.op)
        pending.append(x.op)
  return found
