# SPDX-License-Identifier: Apache-2.0
"""The source run anew, in its own way, beside the module that was made of it.

A model, a `tf.Module`, a function of TF2 and a SavedModel are called eagerly.
A function of TF1 is built in a graph of its own, and gets the module's values
by the names of its variables. What can be called neither way (existing
modules, functions that make Keras layers, or mix both worlds) is traced once
more, and run at once. Nobody else sees a changed variable, seed or layer.
"""

from __future__ import annotations

import collections
import contextlib
import gc
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from hub_image_export import contract
from hub_image_export.export import fixed_draws
from hub_image_export.export.loaded_module import Step
from hub_image_export.export.variable_copies import Copies
from hub_image_export.graph.unordered_reads import read_before_writes
from hub_image_export.sources.meta_graphs import Imports
from hub_image_export.tensorflow_api import (
  eager_ops,
  keras_packages,
  private,
  user_errors,
)
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tracing.image_function import ImageFunction
from hub_image_export.tracing.source_call import (
  converted,
  each_new_variable,
  record_variables,
  values_from_files,
)
from hub_image_export.tracing.trace import compute
from hub_image_export.weights.variable import handle_of

Objective = Callable[[dict[str, Any]], Any]
v1 = tf.compat.v1


class SourceRun:
  """A source that can be run anew, under the values that its module has.

  Attributes:
    notes: what there is to tell of how the source was run.
  """

  def __init__(self, function: ImageFunction) -> None:
    self.notes: list[str] = []
    self._function = function
    # Where the last run left what seeds draws: the next one goes on there, as
    # calls of the source do. Draws that are out of reach differ then.
    self._seeds: list[tuple[Any, Any]] = []
    self._traces = 0
    self._made = {
      v.source.name: v
      for v in function.variables
      if v.source.name in function.made
    }

  def __call__(
    self,
    images: np.ndarray,
    training: bool = False,
    objective: Objective | None = None,
  ) -> Step:
    """Outputs for images or, for training, one step with all draws fixed.

    The step's values are those of all variables that it has changed, also of
    those that the module does not have. See `loaded_module.training_step`.
    """
    all_made = self._made and len(self._made) == len(self._function.variables)
    with _seeds_kept(self._function.layers):
      if all_made and not self._function.layers:
        return converted(
          lambda convert: self._in_graph(convert, images, training, objective)
        )
      if not self._made and not self.notes:
        try:
          return self._eagerly(self._compute(training), images, objective)
        except Exception as error:  # Whatever the user's code raises.
          self.notes.append(
            "the source was traced anew, for it cannot be called eagerly: "
            f"{user_errors.raised(error)}"
          )
      traced = converted(
        lambda convert: self._traced(convert, images, training)
      )
      return self._eagerly(traced[0], images, objective, traced[1])

  def _compute(
    self, training: bool, convert: Any = lambda call: call
  ) -> Callable[[Any], dict[str, Any]]:
    plan = self._function.plan

    def call(images: Any) -> dict[str, Any]:
      momentum = contract.DEFAULT_BATCH_NORM_MOMENTUM
      hparams = [tf.constant(momentum)] if plan.momentum else []
      return compute(plan, images, hparams, training, convert).tensors

    return call

  def _eagerly(
    self,
    call: Callable[[Any], dict[str, Any]],
    images: np.ndarray,
    objective: Objective | None,
    made: dict[str, Any] | None = None,
  ) -> Step:
    """Calls, with copies of what the call changes.

    Args:
      made: handles of variables that the source made for this call, by name.
    """
    handles = {v.name: v.source.handle for v in self._function.variables}
    handles.update(made or {})
    copied = {v.name for v in self._function.variables if v.stored is not None}
    while True:
      copies = Copies()
      for handle, value in self._seeds:
        copies.give(handle, value)
      for variable in self._function.variables:
        if variable.stored is not None:
          copies.give(handles[variable.name], variable.read())
        elif variable.name in copied:
          copies.copy(handles[variable.name])
      step = self._called(call, images, objective, copies, handles)
      found = {n for n, handle in handles.items() if handle in copies}
      # Gradients are of what is read: a copy has to be there from the start.
      if objective is None or found == copied:
        return step
      copied = found

  def _called(
    self,
    call: Callable[[Any], dict[str, Any]],
    images: np.ndarray,
    objective: Objective | None,
    copies: Copies,
    handles: dict[str, Any],
  ) -> Step:
    # A function that has captured a variable is called with the variable, for
    # the tape, and runs with the copy.
    watched = {
      v.name: [copies.in_place_of(handles[v.name]), handles[v.name]]
      for v in self._function.variables
      if v.trainable and objective is not None
    }
    with fixed_draws.eager_draws() as draw, copies.in_use(draw):
      with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(tf.nest.flatten(watched))
        found = call(tf.constant(images))
        outputs = flat_outputs(found)
        total = objective(outputs) if objective is not None else None
      gradients = self._gradients(tape, total, watched)
    names = {id(handle): name for name, handle in handles.items()}
    values, self._seeds = {}, []
    for handle in copies.changed():
      value = copies.value(handle)
      if id(handle) in names or not _is_no_part_of_modules(handle):
        values[names.get(id(handle)) or _name_of(handle)] = value
      else:
        self._seeds.append((handle, value))
    return Step(
      {key: output.numpy() for key, output in outputs.items()},
      values,
      _sum(found["penalties"]),
      gradients,
    )

  def _gradients(
    self, tape: Any, total: Any, watched: dict[str, list[Any]]
  ) -> dict[str, Any]:
    """Sums of the gradients by each of the handles of a variable."""
    if total is None:
      return {}
    distinct = {
      name: list({id(handle): handle for handle in handles}.values())
      for name, handles in watched.items()
    }
    try:
      gradients = tape.gradient(total, distinct)
    except (tf.errors.OpError, LookupError) as error:
      self.notes.append(
        f"gradients were not compared, the source has none: {error!s:.200}"
      )
      return {}
    return {
      name: sum(tf.convert_to_tensor(g).numpy() for g in parts if g is not None)
      for name, parts in gradients.items()
      if any(g is not None for g in parts)
    }

  def _traced(
    self, convert: Any, images: np.ndarray, training: bool
  ) -> tuple[Callable[[Any], dict[str, Any]], dict[str, Any]]:
    """The source as a new function: its outputs, after all that it changes.

    Returns:
      The function, and handles of the variables that it made, by name.
    """
    self._traces += 1
    made: set[str] = set()
    compute_ = self._compute(training, convert)

    def image_function(x: Any) -> Any:
      graph = v1.get_default_graph()
      private.hide_wrap_function(graph)
      # As calls of one function go on drawing, so do two of these.
      graph.seed = None if graph.seed is None else graph.seed + self._traces
      with record_variables(made), values_from_files(made, Imports()):
        return compute_(x)

    shape = [None, *images.shape[1:]]
    wrapped = v1.wrap_function(image_function, [tf.TensorSpec(shape)])
    handles = {}
    for variable in private.variables(wrapped.graph):
      if variable.name in made and variable.name in self._made:
        known = self._made[variable.name]
        variable.assign(known.read())
        handles[known.name] = variable.handle
    outputs = wrapped.structured_outputs
    effects = [
      op
      for op in wrapped.graph.get_operations()
      if training and op.op_def.is_stateful and not op.outputs
    ]
    pruned = wrapped.prune(
      private.arguments(wrapped.graph)[0], [tf.nest.flatten(outputs), effects]
    )
    return lambda x: tf.nest.pack_sequence_as(outputs, pruned(x)[0]), handles

  def _in_graph(
    self,
    convert: Any,
    images: np.ndarray,
    training: bool,
    objective: Objective | None,
  ) -> Step:
    graph = tf.Graph()
    made: list[Any] = []
    with graph.as_default(), each_new_variable(made.append):
      shape = [None, *images.shape[1:]]
      # Graphs that the source imports may have images of their own.
      given = v1.placeholder(tf.float32, shape, name="images_of_source")
      found = self._compute(training, convert)(given)
      outputs = flat_outputs(found)
      updates = _updates(graph) if training else []
      trainable = v1.trainable_variables() if objective else []
      gradients = (
        v1.gradients(objective(outputs), trainable) if objective else []
      )
      of_source = {op.name for op in graph.get_operations()}
      # Meta graphs that are imported bring variables along.
      known = [*v1.global_variables(), *v1.local_variables(), *made]
      variables = {v.name: v for v in known}
      of_source -= {v.initializer.name for v in variables.values()}
      values = {name: v.read_value() for name, v in variables.items()}
      loaded = {n: v for n, v in variables.items() if n in self._made}
      feeds = {
        n: v1.placeholder(v.dtype.base_dtype, v.shape)
        for n, v in loaded.items()
      }
      loads = [v.assign(feeds[n]).op for n, v in loaded.items()]
      others = [v.initializer for n, v in variables.items() if n not in loaded]
    graph_def = graph.as_graph_def()
    changes = fixed_draws.fix(graph_def)
    changes += read_before_writes(graph_def, of_source)
    if changes:
      graph = tf.Graph()
      with graph.as_default():
        tf.import_graph_def(graph_def, name="")
    stored = {n: self._made[n].read().numpy() for n in loaded}
    with v1.Session(graph=graph) as session:

      def run(fetches: Any, feed: Any = None) -> Any:
        names = tf.nest.map_structure(lambda t: t.name, fetches)
        return session.run(names, feed)

      def begin() -> dict[str, np.ndarray]:
        run(others)
        run(loads, {feeds[n].name: value for n, value in stored.items()})
        return run(values)

      wanted = {
        v.name: g for v, g in zip(trainable, gradients) if g is not None
      }
      wanted = {n: tf.convert_to_tensor(g) for n, g in wanted.items()}
      begin()
      # What no edge orders sees the values of before, but in one run it may
      # happen to see those after: so updates have a run of their own.
      asked = [outputs, found["penalties"], wanted]
      results = run(asked, {given.name: images})
      before = begin()
      run([asked, updates], {given.name: images})
      after = run(values)
    names = {n: v.name for n, v in self._made.items()}
    return Step(
      results[0],
      {
        names.get(n, n): value
        for n, value in after.items()
        if not np.array_equal(value, before[n])
      },
      _sum(results[1]),
      {names[n]: g for n, g in results[2].items() if n in names},
    )


def _updates(graph: Any) -> list[Any]:
  """Ops of UPDATE_OPS: what else a function assigns, TF1 never runs."""
  entries = tf.nest.flatten(graph.get_collection(contract.UPDATE_OPS))
  elements = map(graph.as_graph_element, entries)
  return [getattr(element, "op", element) for element in elements]


def _sum(penalties: list[list[Any]]) -> float:
  """Of the penalties, by origin: what several have in common counts once."""
  counts = [collections.Counter(map(float, origin)) for origin in penalties]
  values = {value for count in counts for value in count}
  return sum(v * max(count[v] for count in counts) for v in values)


def _is_no_part_of_modules(handle: Any) -> bool:
  """Holds for the seeds of Keras 3, the states of `tf.random.Generator`, and
  what a distribution strategy keeps beside the first replica.
  """
  if private.is_further_replica(handle):
    return True
  data = eager_ops.handle_data(handle)
  shape = tf.TensorShape(data.shape)
  return tf.as_dtype(data.dtype).is_integer and shape.rank == 1


def _name_of(handle: Any) -> str:
  """The name of a variable that only its handle is known of."""
  for value in gc.get_objects():
    if issubclass(type(value), tf.Variable) and handle_of(value) is handle:
      return value.name
  return "without a name"


def flat_outputs(tensors: dict[str, Any]) -> dict[str, Any]:
  """Outputs by task and key."""
  found = {}
  for task, value in tensors["tasks"].items():
    found[f"{task}/{contract.DEFAULT_OUTPUT}"] = value
    found.update({f"{task}/{k}": v for k, v in tensors["endpoints"].items()})
  return found


@contextlib.contextmanager
def _seeds_kept(layers: Any) -> Iterator[None]:
  """Leaves the seeds that a run takes as they were."""
  python, array = random.getstate(), np.random.get_state()
  try:
    with eager_ops.op_seeds_kept(), keras_packages.seeds_kept(layers):
      yield
  finally:
    random.setstate(python)
    np.random.set_state(array)
