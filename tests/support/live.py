# SPDX-License-Identifier: Apache-2.0
"""The tests' own use of a source, as its author uses it: no builder involved.

Models and functions of TF2 are called eagerly. A TF1 function is built in a
graph, and reads its weights from the module's checkpoint.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from hub_image_export.tensorflow_api.compat import tf

v1 = tf.compat.v1
_NO_IMAGES = np.zeros([1, 12, 10, 3], np.float32)
TASKS = ("image_classification", "image_feature_vector")


@dataclasses.dataclass(frozen=True)
class Source:
  """What a user has.

  Attributes:
    fn: what the builder gets.
    owner: has the variables; None where `fn` makes them itself.
    call: `call(images, training)`, eagerly; None for TF1 functions.
  """

  fn: Any
  owner: Any
  call: Callable[..., Any] | None


def flat(returned: Any, main_task: str) -> dict[str, Any]:
  """Whatever a source returns, as tasks and endpoints by name."""
  if isinstance(returned, (tuple, list)):
    return {main_task: returned[0], **returned[1]}
  if not isinstance(returned, dict):
    return {main_task: returned}
  if "default" in returned:
    rest = {k: v for k, v in returned.items() if k != "default"}
    return {main_task: returned["default"], **rest}
  return returned


def objective(outputs: dict[str, Any]) -> Any:
  """A scalar that weighs each number of the tasks' outputs differently."""
  total = 0.0
  for task in TASKS:
    if task in outputs:
      value = tf.cast(outputs[task], tf.float32)
      width = value.shape[-1]
      total += tf.reduce_sum(value * tf.linspace(0.5, 1.5, width))
  return total


class EagerLive:
  """A source that can be called eagerly."""

  def __init__(self, source: Source, main_task: str):
    self._source, self._main_task = source, main_task

  def variables(self) -> dict[str, Any]:
    owner = self._source.owner
    found = getattr(owner, "weights", None) or owner.variables
    return {_name(v): v for v in found}

  def values(self) -> dict[str, np.ndarray]:
    return {k: v.numpy() for k, v in self.variables().items()}

  def trainable_names(self) -> set[str]:
    return {_name(v) for v in self._source.owner.trainable_variables}

  def _call(self, images, training):
    returned = self._source.call(tf.constant(images), training)
    return flat(returned, self._main_task)

  def outputs(self, images, training=False) -> dict[str, np.ndarray]:
    return {k: np.array(v) for k, v in self._call(images, training).items()}

  def gradients(self, images, training=False) -> dict[str, np.ndarray]:
    variables = {
      k: v for k, v in self.variables().items() if k in self.trainable_names()
    }
    before = self.values()
    with tf.GradientTape() as tape:
      total = objective(self._call(images, training))
    found = tape.gradient(
      total,
      [
        getattr(v, "value", v) if _is_keras_3(v) else v
        for v in variables.values()
      ],
    )
    self.restore(before)
    return {k: _array(g) for k, g in zip(variables, found) if g is not None}

  def after_a_step(self, images) -> dict[str, np.ndarray]:
    """The variables' values after one call for training; then puts back."""
    before = self.values()
    self._call(images, True)
    after = self.values()
    self.restore(before)
    return after

  def restore(self, values) -> None:
    for name, variable in self.variables().items():
      variable.assign(values[name])

  def penalties(self) -> list[float]:
    owner = self._source.owner
    if callable(getattr(owner, "losses", None)) or not hasattr(owner, "losses"):
      losses = getattr(owner, "regularization_losses", ())
      return [float(loss()) for loss in losses]
    return [float(loss) for loss in owner.losses]


class GraphLive:
  """A TF1 function with the weights of the module that was made of it."""

  def __init__(self, source: Source, main_task: str, checkpoint: str):
    self._fn, self._main_task = source.fn, main_task
    reader = tf.train.load_checkpoint(checkpoint)
    self._values = {
      k: reader.get_tensor(k) for k in reader.get_variable_to_shape_map()
    }

  def values(self) -> dict[str, np.ndarray]:
    return dict(self._values)

  def _run(self, images, training, fetch):
    try:
      return self._run_in_graph(images, training, fetch)
    finally:
      _heal_keras_2()

  def _run_in_graph(self, images, training, fetch):
    with tf.Graph().as_default(), v1.Session() as session:
      outputs = flat(
        self._fn(tf.constant(images), is_training=training), self._main_task
      )
      variables = {v.op.name: v for v in v1.global_variables()}
      fetches = fetch(outputs, variables)
      for name, variable in variables.items():
        variable.load(self._values[name], session)
      result = session.run(fetches)
      after = session.run(variables)
    return result, after

  def trainable_names(self) -> set[str]:
    def fetch(outputs, variables):
      return {v.op.name: v for v in v1.trainable_variables()}

    return set(self._run(_NO_IMAGES, True, fetch)[0])

  def outputs(self, images, training=False) -> dict[str, np.ndarray]:
    return self._run(images, training, lambda outputs, _: outputs)[0]

  def gradients(self, images, training=False) -> dict[str, np.ndarray]:
    def fetch(outputs, variables):
      wanted = v1.trainable_variables()
      found = v1.gradients(objective(outputs), wanted)
      return {v.op.name: g for v, g in zip(wanted, found) if g is not None}

    return self._run(images, training, fetch)[0]

  def after_a_step(self, images) -> dict[str, np.ndarray]:
    def fetch(outputs, variables):
      return outputs, v1.get_collection(v1.GraphKeys.UPDATE_OPS)

    return self._run(images, True, fetch)[1]

  def penalties(self) -> list[float]:
    def fetch(outputs, variables):
      return v1.get_collection(v1.GraphKeys.REGULARIZATION_LOSSES)

    return [float(loss) for loss in self._run(_NO_IMAGES, True, fetch)[0]]


def _heal_keras_2() -> None:
  """`tf.compat.v1.layers` in a graph makes Keras' own classes those of TF1.

  Live models fail from then on, until a new eager layer of each class is made.
  """
  layers = tf.keras.layers
  layers.Conv2D(1, 1)
  layers.BatchNormalization()


def make_live(source: Source, main_task: str, module_path: str):
  if source.call is not None:
    return EagerLive(source, main_task)
  return GraphLive(source, main_task, f"{module_path}/variables/variables")


def _is_keras_3(variable) -> bool:
  return hasattr(variable, "path") and not hasattr(variable, "handle")


def _name(variable) -> str:
  """The name that an author knows the variable by."""
  return getattr(variable, "path", variable.name).partition(":")[0]


def _array(gradient) -> np.ndarray:
  return np.array(tf.convert_to_tensor(gradient))
