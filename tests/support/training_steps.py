# SPDX-License-Identifier: Apache-2.0
"""Steps of training, at the source and with the module that was made of it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from hub_image_export.tensorflow_api.compat import tf
from tests.support.consumer import Consumer
from tests.support.live import Source, flat, objective

v1 = tf.compat.v1
TASK = "image_feature_vector"
Arrays = dict[str, np.ndarray]


@dataclasses.dataclass
class Step:
  """What one step gives: features, gradients by variable, and new values."""

  outputs: np.ndarray
  gradients: Arrays
  values: Arrays


def of_source(source: Source, spec: Any, batches: list[np.ndarray]):
  """The source's own steps; its variables are as before when they are done."""
  steps = _eagerly if source.call is not None else _in_a_graph
  return steps(source, spec, batches)


def _eagerly(source, spec, batches) -> list[Step]:
  variables = {v.name: v.source for v in spec.function.variables}
  trained = [v.name for v in spec.function.variables if v.trainable]
  owned = [_plain(v) for v in _variables(source.owner)]
  before = [(v, v.numpy()) for v in [*variables.values(), *owned]]
  steps = []
  try:
    for images in batches:
      with tf.GradientTape() as tape:
        features = flat(source.call(tf.constant(images), True), TASK)[TASK]
        loss = objective({TASK: features})
      found = tape.gradient(loss, [variables[name] for name in trained])
      steps.append(
        Step(
          np.array(features),
          {k: _array(g) for k, g in zip(trained, found) if g is not None},
          {k: v.numpy() for k, v in variables.items()},
        )
      )
    _assert_all_changes_known(before, variables.values(), source)
  finally:
    for variable, value in before:
      variable.assign(value)
  return steps


def _variables(owner):
  return getattr(owner, "weights", None) or owner.variables


def _plain(variable):
  """The variable of TensorFlow, of a Keras variable or a strategy's."""
  if hasattr(variable, "path") and hasattr(variable, "value"):
    variable = variable.value
  values = getattr(variable, "values", None)
  return values[0] if isinstance(values, tuple) else variable


def _assert_all_changes_known(before, known, source) -> None:
  """A variable that changes is one that the module has."""
  handles = {id(v.handle) for v in known}
  for variable, value in before:
    if id(variable.handle) not in handles:
      assert np.array_equal(variable.numpy(), value), variable.name


def _in_a_graph(source, spec, batches) -> list[Step]:
  values = {v.name: v.read().numpy() for v in spec.function.variables}
  trained = {v.name for v in spec.function.variables if v.trainable}
  steps = []
  with tf.Graph().as_default(), v1.Session() as session:
    images = v1.placeholder(tf.float32, [None, *batches[0].shape[1:]])
    features = flat(source.fn(images, is_training=True), TASK)[TASK]
    loss = objective({TASK: features})
    variables = {v.op.name: v for v in v1.global_variables()}
    wanted = [v for k, v in variables.items() if k in trained]
    found = v1.gradients(loss, wanted)
    gradients = _dense([v.op.name for v in wanted], found)
    session.run(v1.global_variables_initializer())
    for name, value in values.items():
      variables[name].load(value, session)
    before = session.run(variables)
    updates = v1.get_collection(v1.GraphKeys.UPDATE_OPS)
    for batch in batches:
      outputs, slopes, _ = session.run(
        [features, gradients, updates], {images: batch}
      )
      after = session.run(variables)
      for name in after.keys() - values.keys():
        np.testing.assert_array_equal(after[name], before[name], name)
      after = {name: after[name] for name in values}
      steps.append(Step(outputs, slopes, after))
  return steps


def of_module(module: Any, batches: list[np.ndarray]) -> list[Step]:
  """A consumer's steps: outputs, gradients and UPDATE_OPS in one run."""
  consumer = Consumer(module, frozenset({"train"}), trainable=True)
  features = consumer.outputs["default"]["default"]
  with consumer.graph.as_default():
    names = {v.name for v in v1.trainable_variables()}
    wanted = {k: v for k, v in consumer.variables.items() if v.name in names}
    found = v1.gradients(objective({TASK: features}), list(wanted.values()))
    gradients = _dense(wanted, found)
  # Gradients of loops change the loops: a session must not know them yet.
  consumer.start_session()
  steps = []
  for images in batches:
    outputs, slopes, _ = consumer.run(
      [features, gradients, consumer.updates], images
    )
    steps.append(Step(outputs, slopes, consumer.values()))
  return steps


def _array(gradient) -> np.ndarray:
  return np.array(tf.convert_to_tensor(gradient))


def _dense(names, gradients) -> dict[str, Any]:
  """Gradients of rows become those of the whole variable."""
  return {
    k: tf.convert_to_tensor(g)
    for k, g in zip(names, gradients)
    if g is not None
  }


def assert_same(found: list[Step], expected: list[Step]) -> None:
  """Whether steps are the same, but for rounding."""
  assert len(found) == len(expected)
  for i, (a, b) in enumerate(zip(found, expected)):
    _assert_close(a.outputs, b.outputs, f"step {i}: outputs")
    assert a.values.keys() == b.values.keys()
    for name, value in b.values.items():
      _assert_close(a.values[name], value, f"step {i}: {name}")
    largest = max((np.abs(g).max() for g in b.gradients.values()), default=0)
    for name in a.gradients.keys() | b.gradients.keys():
      shape = b.values[name].shape
      mine = a.gradients.get(name, np.zeros(shape))
      theirs = b.gradients.get(name, np.zeros(shape))
      scale = np.abs(theirs).max() + 0.05 * largest
      np.testing.assert_allclose(
        mine, theirs, rtol=0, atol=1e-3 * scale, err_msg=f"gradient of {name}"
      )


def _assert_close(found, expected, what) -> None:
  if found.dtype.kind != "f":
    np.testing.assert_array_equal(found, expected, what)
    return
  scale = np.abs(expected).max(initial=0.0)
  np.testing.assert_allclose(
    found, expected, rtol=1e-4, atol=1e-4 * scale + 1e-6, err_msg=what
  )
