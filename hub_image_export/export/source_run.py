# SPDX-License-Identifier: Apache-2.0
"""The source run anew, in its own way, beside the module that was made of it.

A model, a `tf.Module`, a function of TF2 and a SavedModel are called eagerly.
A function of TF1 is built in a graph of its own, and gets the module's values
by the names of its variables. What can be called neither way (existing
modules, functions that make Keras layers, or mix both worlds) is traced once
more, and run at once. Nobody else sees a changed variable, seed or layer.
"""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Callable
from typing import Any

import numpy as np

from hub_image_export import contract
from hub_image_export.export import fixed_draws, source_graph
from hub_image_export.export.seeds import Seeds
from hub_image_export.export.step import Objective, Step, flat_outputs, sum_of
from hub_image_export.export.variable_copies import Copies
from hub_image_export.graph.state_ops import UNORDERED
from hub_image_export.sources.meta_graphs import Imports
from hub_image_export.tensorflow_api import (
  eager_ops,
  private,
  user_errors,
)
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.runtime import quiet
from hub_image_export.tracing.image_function import ImageFunction
from hub_image_export.tracing.source_call import (
  converted,
  record_variables,
  values_from_files,
)
from hub_image_export.tracing.trace import compute
from hub_image_export.weights.variable import handle_of

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
    self._seeds_of_others = Seeds(function.layers)
    self._random = [v.source for v in function.random_state]
    self._random_names = {v.name for v in self._random} & function.made
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
    # Of functions in it that are traced once more, TensorFlow warns.
    with quiet(), self._seeds_of_others.kept():
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
    copies = Copies()
    for handle, value in self._seeds:
      copies.give(handle, value)
    for variable in self._function.variables:
      if variable.stored is not None:
        copies.give(handles[variable.name], variable.read())
    watched = {
      v.name: handles[v.name]
      for v in self._function.variables
      if v.trainable and objective is not None
    }
    with fixed_draws.eager_draws() as draw, copies.in_use(draw):
      with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(list(watched.values()))
        found = call(tf.constant(images))
        outputs = flat_outputs(found)
        total = objective(outputs) if objective is not None else None
      gradients = self._gradients(tape, total, watched)
    names = {id(handle): name for name, handle in handles.items()}
    values, self._seeds = {}, []
    for handle in copies.changed():
      value = copies.value(handle)
      name = names.get(id(handle)) or self._name_elsewhere(handle)
      if name is None:
        self._seeds.append((handle, value))
      else:
        values[name] = value
    return Step(
      {key: output.numpy() for key, output in outputs.items()},
      values,
      sum_of(found["penalties"]),
      gradients,
    )

  def _name_elsewhere(self, handle: Any) -> str | None:
    """Of a variable that the module does not have; None where it need not."""
    is_random = any(handle is handle_of(v) for v in self._random)
    if is_random or _is_no_part_of_modules(handle):
      return None
    return _name_of(handle)

  def _gradients(
    self, tape: Any, total: Any, watched: dict[str, Any]
  ) -> dict[str, Any]:
    """Those by the handles of variables, where there are any."""
    if total is None:
      return {}
    try:
      gradients = tape.gradient(total, watched)
    except (tf.errors.OpError, LookupError) as error:
      self.notes.append(
        f"gradients were not compared, the source has none: {error!s:.200}"
      )
      return {}
    return {
      name: tf.convert_to_tensor(gradient).numpy()
      for name, gradient in gradients.items()
      if gradient is not None
    }

  def _in_graph(
    self,
    convert: Any,
    images: np.ndarray,
    training: bool,
    objective: Objective | None,
  ) -> Step:
    names = {n: v.name for n, v in self._made.items()}
    step = source_graph.step(
      self._compute(training, convert),
      images,
      training,
      objective,
      {n: v.read().numpy() for n, v in self._made.items()},
    )
    return dataclasses.replace(
      step,
      values={
        names.get(n, n): value
        for n, value in step.values.items()
        if n not in self._random_names
      },
      gradients={names[n]: g for n, g in step.gradients.items() if n in names},
    )

  def _traced(
    self, convert: Any, images: np.ndarray, training: bool
  ) -> tuple[Callable[[Any], dict[str, Any]], dict[str, Any]]:
    """The source as a new function: its outputs, after all that it changes.

    Returns:
      The function, and handles of the variables that it made, by name.
    """
    specs = [tf.TensorSpec([None, *images.shape[1:]])]
    compute_ = self._compute(training, convert)
    graph = self._function.reference.graph
    if not self._made and not graph.get_collection(UNORDERED):
      # What it does to variables, it does in the program's order.
      return tf.function(compute_, specs, autograph=False), {}
    self._traces += 1
    made: set[str] = set()

    def image_function(x: Any) -> Any:
      graph = v1.get_default_graph()
      private.hide_wrap_function(graph)
      # As calls of one function go on drawing, so do two of these.
      graph.seed = None if graph.seed is None else graph.seed + self._traces
      with record_variables(made), values_from_files(made, Imports()):
        return compute_(x)

    wrapped = v1.wrap_function(image_function, specs)
    handles = {}
    for variable in private.variables(wrapped.graph):
      if variable.name in made and variable.name in self._made:
        known = self._made[variable.name]
        variable.assign(known.read())
        handles[known.name] = variable.handle
      elif variable.name in made & self._random_names:
        self._random.append(variable)
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
  names = [
    value.name
    for value in gc.get_objects()
    if issubclass(type(value), tf.Variable) and handle_of(value) is handle
  ]
  # What assignments return has the handle, too, and one name for all.
  known = [name for name in names if name != "UnreadVariable"]
  return next(iter(known), "without a name")
