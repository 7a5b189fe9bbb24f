# SPDX-License-Identifier: Apache-2.0
"""Branches that inference never takes are not held against a network."""

from __future__ import annotations

import numpy as np
import pytest

from hub_image_export.graph.branches import drop_dead_ops
from hub_image_export.tensorflow_api.compat import tf
from tests.support import keras_sources, models
from tests.support.consumer import Consumer, random_images

v1 = tf.compat.v1
SIZE = models.by_name("sequential").height_and_width
IMAGES = random_images(3, *SIZE)


def _noisy(x):
  return x + tf.random.uniform(tf.shape(x))


def _mean(x):
  return tf.reduce_mean(x, [1, 2])


def _cond(condition):
  return lambda x: tf.cond(condition(x), lambda: _noisy(x), lambda: 2.0 * x)


def _given(default):
  return v1.placeholder_with_default(default, [])


NEVER = {
  "constant": _cond(lambda x: tf.constant(False)),
  "placeholder_with_default": _cond(lambda x: _given(False)),
  "not": _cond(lambda x: tf.logical_not(_given(True))),
  "and": _cond(lambda x: tf.logical_and(_given(False), x[0, 0] > 0.5)),
  "all": _cond(lambda x: tf.reduce_all((False, x[0, 0] > 0.5, x[0, 1] > 0.5))),
  "or": lambda x: tf.cond(
    tf.logical_or(x[0, 0] > 0.5, _given(True)),
    lambda: 2.0 * x,
    lambda: _noisy(x),
  ),
  "case": lambda x: tf.switch_case(
    _given(1), [lambda: _noisy(x), lambda: 2.0 * x, lambda: -_noisy(x)]
  ),
  "static_size": _cond(lambda x: tf.shape(x)[1] > 3),
  "in_a_function": tf.function(_cond(lambda x: _given(False))),
  "nested": _cond(lambda x: tf.cond(_given(True), lambda: False, lambda: True)),
  "in_a_branch_that_is_taken": lambda x: tf.cond(
    _given(True), lambda: _cond(lambda y: _given(False))(x), lambda: x
  ),
}


@pytest.mark.parametrize("name", NEVER)
def test_what_is_never_taken_is_gone(name):
  spec = models.by_name("sequential").build(lambda x: NEVER[name](_mean(x)))
  found = Consumer(spec)
  found = found.run(found.outputs["default"]["default"], IMAGES)
  np.testing.assert_allclose(found, 2 * IMAGES.mean((1, 2)), rtol=1e-5)


def test_random_crops(tmp_path):
  """Keras 2 crops at random unless some of three conditions is false."""
  layers = keras_sources.layers
  crop = layers.RandomCrop(*(size - 2 for size in SIZE))
  model = keras_sources.keras.Sequential(
    [
      layers.InputLayer(keras_sources.SHAPE),
      crop,
      layers.GlobalAveragePooling2D(),
    ]
  )
  build = models.by_name("sequential").build
  summary = build(model, training=False).export(tmp_path / "module")
  assert summary.verified


TAKEN = {
  "by_content": (_cond(lambda x: x[0, 0] > 0.5), "in its branch for True)"),
  "by_default": (_cond(lambda x: _given(True)), "RandomUniform"),
  "case": (
    lambda x: tf.switch_case(
      tf.cast(x[0, 0], tf.int32), [lambda: x, lambda: _noisy(x)]
    ),
    "its branch for 1",
  ),
}


@pytest.mark.parametrize("name", TAKEN)
def test_branches_that_may_be_taken_are_named(name):
  head, named = TAKEN[name]
  with pytest.raises(ValueError, match="draws random numbers") as error:
    models.by_name("sequential").build(lambda x: head(_mean(x)))
  assert named in str(error.value)


SEEDED = {
  "normal": lambda x: x + tf.random.stateless_normal([3], [1, 2]),
  "size_of_images": lambda x: (
    x + tf.random.stateless_uniform(tf.shape(x)[1:], [3, 4])
  ),
  "by_a_seed_that_is_computed": lambda x: (
    x + tf.random.stateless_uniform([3], tf.range(2) + 5)
  ),
  "shuffled_seed": lambda x: (
    x
    + tf.random.stateless_normal(
      [3], tf.random.experimental.stateless_fold_in([1, 2], 3)
    )
  ),
}


@pytest.mark.parametrize("name", SEEDED)
def test_draws_from_constant_seeds_are_constants(name):
  fn = lambda x: SEEDED[name](_mean(x))  # noqa: E731
  spec = models.by_name("sequential").build(fn)
  found = Consumer(spec)
  found = found.run(found.outputs["default"]["default"], IMAGES)
  np.testing.assert_allclose(found, fn(IMAGES), rtol=1e-5)


def _tf1_graph(condition):
  """`2 x`, or noise in a branch of TensorFlow 1; a loop in it, one after it."""

  def noisy_loop(x):
    return v1.while_loop(lambda y: y[0] < 9.0, lambda y: [_noisy(y)], [x])

  v1.disable_control_flow_v2()
  try:
    with tf.Graph().as_default() as graph:
      x = v1.placeholder(tf.float32, [2], "x")
      y = v1.cond(condition(x), lambda: noisy_loop(x), lambda: 2.0 * x)
      y = v1.while_loop(
        lambda y, i: i < 2, lambda y, i: (y + 1.0, i + 1), [y, 0]
      )[0]
      tf.identity(y, "output")
  finally:
    v1.enable_control_flow_v2()
  return graph.as_graph_def(add_shapes=True)


def test_switches_of_tensorflow_1():
  graph_def = _tf1_graph(lambda x: _given(False))
  drop_dead_ops(graph_def)
  assert "RandomUniform" not in {node.op for node in graph_def.node}
  with tf.Graph().as_default(), v1.Session() as session:
    tf.import_graph_def(graph_def, name="")
    found = session.run("output:0", {"x:0": [1.0, 2.0]})
  np.testing.assert_array_equal(found, [4.0, 6.0])


def test_switches_that_depend_on_images_stay():
  graph_def = _tf1_graph(lambda x: x[0] > 0.5)
  before = graph_def.SerializeToString(deterministic=True)
  drop_dead_ops(graph_def)
  assert graph_def.SerializeToString(deterministic=True) == before


def test_checks_of_numbers_are_no_reason_to_refuse(tmp_path):
  fn = lambda x: tf.debugging.check_numerics(_mean(x), "not finite")  # noqa: E731
  spec = models.by_name("sequential").build(fn)
  assert spec.export(tmp_path / "module").verified
