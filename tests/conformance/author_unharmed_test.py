# SPDX-License-Identifier: Apache-2.0
"""Making a module leaves its author's process as it was."""

from __future__ import annotations

import concurrent.futures

import numpy as np
import pytest

from hub_image_export.tensorflow_api.compat import tf
from tests.support import models
from tests.support.consumer import random_images
from tests.support.keras_sources import keras, layers

IMAGES = random_images(2, 12, 10)


def _models_of_every_class():
  """Live models of each layer class that the registry uses."""
  names = ["functional", "sequential", "subclassed", "closure", "feature_layer"]
  return [models.by_name(name).make().owner for name in names]


def _flags():
  return {
    "run_functions_eagerly": tf.config.functions_run_eagerly(),
    "eager": tf.executing_eagerly(),
    "call": layers.Layer.__call__,
    "type": layers.Dense(1).compute_dtype,
    "float": keras.backend.floatx(),
    "resource": tf.compat.v1.resource_variables_enabled(),
    "control_flow": tf.compat.v1.control_flow_v2_enabled(),
    "bases": [(cls, cls.__bases__) for cls in _classes()],
    "learning_phase": getattr(keras.backend, "learning_phase", lambda: 0)(),
  }


def _classes():
  return [
    layers.Layer,
    layers.Conv2D,
    layers.BatchNormalization,
    layers.Dense,
    keras.Model,
    keras.Sequential,
  ]


@pytest.mark.parametrize("model", models.ALL, ids=str)
def test_other_live_models_and_global_flags(model, exports, tmp_path):
  others = _models_of_every_class()
  before = [np.array(other(IMAGES)) for other in others]
  flags = _flags()
  source = model.make_source(str(tmp_path))
  model.build(source.fn).export(tmp_path / "module")
  assert _flags() == flags
  for other, output in zip(others, before):
    np.testing.assert_array_equal(other(IMAGES), output)
    # Training and building go on, too.
    other(IMAGES, training=True)
  _models_of_every_class()


def test_the_source_itself_still_works(exported):
  if exported.source.call is None:
    pytest.skip("It is a function for graphs.")
  first = exported.live.outputs(IMAGES)
  second = exported.live.outputs(IMAGES)
  for key, value in first.items():
    np.testing.assert_array_equal(value, second[key])


def test_flags_after_a_source_that_raises():
  flags = _flags()

  def fn(images, is_training):
    layers.BatchNormalization(name="made")(images)
    raise RuntimeError("no")

  with pytest.raises(Exception, match="no"):
    models.by_name("tf_module").build(fn)
  assert _flags() == flags
  for other in _models_of_every_class():
    other(IMAGES)


@pytest.mark.parametrize("name", ["functional", "tf1", "two_tasks", "closure"])
def test_while_a_graph_is_default(name, tmp_path):
  model = models.by_name(name)
  source = model.make()
  with tf.Graph().as_default() as graph:
    model.build(source.fn).export(tmp_path / "module")
    assert tf.compat.v1.get_default_graph() is graph
    assert not graph.get_operations()


@pytest.mark.parametrize("name", ["functional", "tf1"])
def test_inside_of_a_thread(name, tmp_path):
  model = models.by_name(name)
  source = model.make()

  def work():
    return model.build(source.fn).export(tmp_path / "module")

  with concurrent.futures.ThreadPoolExecutor(1) as pool:
    assert pool.submit(work).result().verified


def test_in_several_threads_at_once():
  """They share layer classes, and here the layers themselves, too."""
  flags = _flags()
  model = models.by_name("sequential")
  source = model.make()

  def work(_):
    return model.build(source.fn, batch_norm_momentum=True).get_tags()

  with concurrent.futures.ThreadPoolExecutor(4) as pool:
    assert all(len(tags) == 2 for tags in pool.map(work, range(8)))
  assert _flags() == flags
  assert source.owner.get_layer("bn").momentum == pytest.approx(0.9)


def test_the_users_optimizer_goes_on():
  """A Keras model that was exported can be fitted further."""
  source = models.by_name("functional").make()
  network = source.owner
  network.compile("sgd", "mse")
  targets = np.zeros([2, 5], np.float32)
  network.fit(IMAGES, targets, verbose=0)
  models.by_name("functional").build(source.fn)
  network.fit(IMAGES, targets, verbose=0)
