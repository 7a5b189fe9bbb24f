# SPDX-License-Identifier: Apache-2.0
"""A reusable SavedModel on disk, loaded to be compared with its source."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from hub_image_export import contract
from hub_image_export.export import fixed_draws
from hub_image_export.export.interface import Interface
from hub_image_export.export.step import Objective, Step
from hub_image_export.graph.graph_defs import canonical, nodes_by_name
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.runtime import quiet
from hub_image_export.tracing.image_function import ImageFunction
from hub_image_export.untrusted import saved_models


class LoadedObject:
  """What `tf.saved_model.load` gives, asked as a TF1 Hub module is.

  Attributes:
    outputs: by task and key; what stands for an output is its name.
  """

  def __init__(self, path: str, function: ImageFunction) -> None:
    """Loads it; all that it draws has fixed values."""
    with quiet(), _without_draws(path) as same:
      self._root = tf.saved_model.load(same)
    tasks = list(function.inference.tasks)
    self._tasks = {
      task: getattr(self._root, task) if len(tasks) > 1 else self._root
      for task in tasks
    }
    endpoints = function.inference.endpoints
    self._options = {contract.RETURN_ENDPOINTS: True} if endpoints else {}
    self.outputs = {
      name: name
      for task in tasks
      for name in (
        f"{task}/{key}" for key in (contract.DEFAULT_OUTPUT, *endpoints)
      )
    }
    self._variables = {
      variable.name.partition(":")[0]: variable
      for loaded in self._tasks.values()
      for variable in loaded.variables
    }

  def run(
    self, wanted: dict[str, str], images: np.ndarray
  ) -> dict[str, np.ndarray]:
    """The values of outputs, under the keys of `wanted`."""
    found: dict[str, Any] = {}
    # What is restored is new to each load: TensorFlow warns of retracing.
    with quiet():
      for task in {name.partition("/")[0] for name in wanted.values()}:
        found.update(self._call(task, images, training=False))
    return {key: found[name].numpy() for key, name in wanted.items()}

  def run_on_cpu(
    self, wanted: dict[str, str], images: np.ndarray
  ) -> dict[str, np.ndarray]:
    with tf.device("CPU:0"):
      return self.run(wanted, images)

  def _call(
    self, task: str, images: np.ndarray, training: bool
  ) -> dict[str, Any]:
    """The outputs of a task, by task and key."""
    options = {contract.TRAINING: training, **self._options}
    outputs = self._tasks[task](tf.constant(images), **options)
    if not isinstance(outputs, dict):
      outputs = {contract.DEFAULT_OUTPUT: outputs}
    return {f"{task}/{key}": value for key, value in outputs.items()}

  def step(
    self,
    images: np.ndarray,
    objective: Objective | None,
    changing: Iterable[str],
  ) -> Step:
    """One training step of each task alone, all from the same values.

    Args:
      images: for the step.
      objective: of the outputs, a sum over tasks.
      changing: names of the variables that a step may change.
    """
    with quiet():
      return self._step(images, objective, changing)

  def _step(
    self,
    images: np.ndarray,
    objective: Objective | None,
    changing: Iterable[str],
  ) -> Step:
    before = {n: self._variables[n].numpy() for n in changing}
    step = Step({}, dict(before), self._penalty(), {})
    for task, loaded in self._tasks.items():
      if objective is None:  # A tape would have gradients built at once.
        outputs = self._call(task, images, training=True)
      else:
        with tf.GradientTape() as tape:
          outputs = self._call(task, images, training=True)
          total = objective(outputs)
        watched = loaded.trainable_variables
        _add(step.gradients, watched, tape.gradient(total, watched))
      step.outputs.update({k: v.numpy() for k, v in outputs.items()})
      for name, value in before.items():
        after = self._variables[name].numpy()
        if not np.array_equal(after, value):
          step.values[name] = after
          self._variables[name].assign(value)
    return step

  def _penalty(self) -> float:
    losses = {
      id(loss): loss
      for loaded in self._tasks.values()
      for loss in loaded.regularization_losses
    }
    return float(sum(loss().numpy() for loss in losses.values()))


def _add(
  gradients: dict[str, Any], variables: list[Any], found: list[Any]
) -> None:
  """Adds to the gradients by name; None where there are none."""
  for variable, gradient in zip(variables, found):
    if gradient is not None:
      name = variable.name.partition(":")[0]
      value = tf.convert_to_tensor(gradient).numpy()
      gradients[name] = gradients.get(name, 0.0) + value


class Loader:
  """Loads a SavedModel once, for all that verification asks."""

  def __init__(self) -> None:
    self._loaded: LoadedObject | None = None

  @contextlib.contextmanager
  def inference(
    self, path: str, function: ImageFunction, interface: Interface
  ) -> Iterator[LoadedObject]:
    del interface  # The object knows the shapes that it takes.
    yield self._get(path, function)

  def training_step(
    self,
    path: str,
    function: ImageFunction,
    images: np.ndarray,
    objective: Objective | None = None,
  ) -> Step:
    """See `loaded_module.training_step`."""
    training = function.variants[-1]
    nodes = nodes_by_name(training.graph_def)
    changing = {
      training.variables[canonical(nodes[update].input[0])].name
      for update in training.updates
    }
    return self._get(path, function).step(images, objective, sorted(changing))

  def _get(self, path: str, function: ImageFunction) -> LoadedObject:
    if self._loaded is None:
      self._loaded = LoadedObject(path, function)
    return self._loaded


@contextlib.contextmanager
def _without_draws(path: str) -> Iterator[str]:
  """The directory, or one like it whose draws give fixed values."""
  saved = saved_models.parse(path)
  if not fixed_draws.fix(saved.meta_graphs[0].graph_def):
    yield path
    return
  with tempfile.TemporaryDirectory(prefix="hub_image_export_") as directory:
    with open(os.path.join(directory, contract.SAVED_MODEL_FILE), "wb") as file:
      file.write(saved.SerializeToString())
    for name in (contract.VARIABLES_DIR, contract.FINGERPRINT_FILE):
      os.symlink(
        os.path.join(os.path.abspath(path), name), os.path.join(directory, name)
      )
    yield directory
