# SPDX-License-Identifier: Apache-2.0
"""A function of TF1, built in a graph of its own, and run there."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Any, NamedTuple

import numpy as np

from hub_image_export import contract
from hub_image_export.export import fixed_draws
from hub_image_export.export.step import Objective, Step, flat_outputs, sum_of
from hub_image_export.graph.unordered_reads import read_before_writes
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tracing.source_call import each_new_variable

v1 = tf.compat.v1


def step(
  call: Callable[[Any], dict[str, Any]],
  images: np.ndarray,
  training: bool,
  objective: Objective | None,
  stored: Mapping[str, np.ndarray],
) -> Step:
  """Builds the graph, and runs one step in it, with all draws fixed.

  Args:
    call: gives the source's tensors for images, as `trace.compute` does.
    images: for the step.
    training: whether UPDATE_OPS are run, too.
    objective: of the outputs, whose gradients are wanted, if any are.
    stored: values by the names that variables have there; the others get
      their initial ones.

  Returns:
    Its values and gradients are by the variables' names in the graph.
  """
  shape = [None, *images.shape[1:]]
  built = _build(call, shape, training, objective, stored)
  with v1.Session(graph=_with_fixed_draws(built)) as session:
    return _run(session, built, images, stored)


class _Built(NamedTuple):
  """What a call of the function has put into a graph.

  Attributes:
    images: the placeholder for them.
    fetched: outputs, penalties and gradients.
    updates: ops.
    variables: by name, with those that meta graphs bring along.
    values: a read of each of them.
    given: by name, a placeholder for the value that a variable gets, and the
      assignment of it.
    of_source: names of the ops that are the function's own.
  """

  graph: Any
  images: Any
  fetched: tuple[dict[str, Any], Any, dict[str, Any]]
  updates: list[Any]
  variables: dict[str, Any]
  values: dict[str, Any]
  given: dict[str, tuple[Any, Any]]
  of_source: set[str]


def _build(
  call: Callable[[Any], dict[str, Any]],
  shape: list[int | None],
  training: bool,
  objective: Objective | None,
  stored: Container[str],
) -> _Built:
  graph = tf.Graph()
  made: list[Any] = []
  with graph.as_default(), each_new_variable(made.append):
    # Graphs that the source imports may have images of their own.
    images = v1.placeholder(tf.float32, shape, name="images_of_source")
    found = call(images)
    outputs = flat_outputs(found)
    updates = _updates(graph) if training else []
    gradients = _gradients(objective(outputs)) if objective else {}
    of_source = {op.name for op in graph.get_operations()}
    known = [*v1.global_variables(), *v1.local_variables(), *made]
    variables = {v.name: v for v in known}
    of_source -= {v.initializer.name for v in variables.values()}
    values = {name: v.read_value() for name, v in variables.items()}
    given = {n: _given(v) for n, v in variables.items() if n in stored}
  fetched = (outputs, found["penalties"], gradients)
  return _Built(
    graph, images, fetched, updates, variables, values, given, of_source
  )


def _given(variable: Any) -> tuple[Any, Any]:
  value = v1.placeholder(variable.dtype.base_dtype, variable.shape)
  return value, variable.assign(value).op


def _updates(graph: Any) -> list[Any]:
  """Ops of UPDATE_OPS: what else a function assigns, TF1 never runs."""
  entries = tf.nest.flatten(graph.get_collection(contract.UPDATE_OPS))
  elements = map(graph.as_graph_element, entries)
  return [getattr(element, "op", element) for element in elements]


def _gradients(total: Any) -> dict[str, Any]:
  trainable = v1.trainable_variables()
  return {
    variable.name: tf.convert_to_tensor(gradient)
    for variable, gradient in zip(trainable, v1.gradients(total, trainable))
    if gradient is not None
  }


def _with_fixed_draws(built: _Built) -> Any:
  """The same graph without draws, and with each read before the writes that
  no edge puts before it: it sees the values of before, as TF1 mostly has it.
  """
  graph_def = built.graph.as_graph_def()
  changes = fixed_draws.fix(graph_def)
  changes += read_before_writes(graph_def, built.of_source)
  if not changes:
    return built.graph
  graph = tf.Graph()
  with graph.as_default():
    tf.import_graph_def(graph_def, name="")
  return graph


def _run(
  session: Any,
  built: _Built,
  images: np.ndarray,
  stored: Mapping[str, np.ndarray],
) -> Step:
  def run(fetches: Any, feed: Mapping[str, Any] | None = None) -> Any:
    names = tf.nest.map_structure(lambda t: t.name, fetches)
    return session.run(names, feed)

  def begin() -> dict[str, np.ndarray]:
    others = built.variables.keys() - built.given.keys()
    run([built.variables[name].initializer for name in others])
    loads = [assignment for _, assignment in built.given.values()]
    run(loads, {v.name: stored[n] for n, (v, _) in built.given.items()})
    return run(built.values)

  feed = {built.images.name: images}
  begin()
  # What no edge orders sees the values of before, but in one run it may happen
  # to see those after: so updates have a run of their own.
  outputs, penalties, gradients = run(built.fetched, feed)
  before = begin()
  run([built.fetched, built.updates], feed)
  after = run(built.values)
  changed = {
    name: value
    for name, value in after.items()
    if not np.array_equal(value, before[name])
  }
  return Step(outputs, changed, sum_of(penalties), gradients)
