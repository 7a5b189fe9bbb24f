# SPDX-License-Identifier: Apache-2.0
"""H1: while a model is traced with another momentum, it goes on living."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import hub_image_export as hie
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tracing.momentum import momentum_as

layers = tf.keras.layers
MOMENTUM = 0.75


class OfItsClass(layers.BatchNormalization):
  """Has a property, as a layer with a schedule would."""

  @property
  def momentum(self):
    return self.__dict__.get("kept", MOMENTUM)

  @momentum.setter
  def momentum(self, value):
    self.__dict__["kept"] = value


class Derived(layers.BatchNormalization):
  pass


@pytest.mark.parametrize(
  "cls", [layers.BatchNormalization, Derived, OfItsClass]
)
def test_only_this_thread_sees_it(cls):
  layer = cls(momentum=MOMENTUM)
  layer.build((None, 4, 4, 3))
  before = dict(vars(cls))
  seen = []
  with momentum_as("tensor") as before_call:
    before_call(layer)
    before_call(layer)
    thread = threading.Thread(target=lambda: seen.append(layer.momentum))
    thread.start()
    thread.join()
    assert layer.momentum == "tensor"
    assert layer.get_config()["momentum"] == "tensor"
  assert seen == [MOMENTUM]
  assert layer.momentum == MOMENTUM
  assert vars(cls).get("momentum") is before.get("momentum")


def test_a_layer_is_as_before_after_an_error():
  layer = layers.BatchNormalization(momentum=MOMENTUM)
  layer.build((None, 3))
  with pytest.raises(KeyError), momentum_as("tensor") as before_call:
    before_call(layer)
    raise KeyError
  assert layer.momentum == MOMENTUM
  assert "momentum" not in vars(layers.BatchNormalization)


def test_another_thread_may_change_it_meanwhile():
  layer = layers.BatchNormalization(momentum=MOMENTUM)
  layer.build((None, 3))
  with momentum_as("tensor") as before_call:
    before_call(layer)
    thread = threading.Thread(target=setattr, args=(layer, "momentum", 0.5))
    thread.start()
    thread.join()
  assert layer.momentum == 0.5


def test_other_threads_call_the_model_while_it_is_traced():
  """Both for inference and for training: neither meets a graph's tensor."""
  norm = layers.BatchNormalization(momentum=MOMENTUM)
  model = tf.keras.Sequential(
    [
      layers.InputLayer((8, 8, 3)),
      layers.Conv2D(4, 3),
      norm,
      layers.GlobalAveragePooling2D(),
    ]
  )
  images = tf.random.uniform([2, 8, 8, 3])
  tracing, called = threading.Event(), threading.Event()
  failures, results = [], []

  def call():
    tracing.wait(30)
    try:
      results.append(model(images, training=False).numpy())
      before = norm.moving_mean.numpy()
      model(images, training=True)
      results.append(norm.moving_mean.numpy() - before)
    except Exception as error:
      failures.append(error)
    called.set()

  thread = threading.Thread(target=call)
  thread.start()

  def fn(x, is_training):
    features = model(x, training=is_training)
    if is_training:  # Here the layer has the momentum of the graph.
      tracing.set()
      called.wait(30)
    return features

  expected = model(images, training=False).numpy()
  spec = hie.make_feature_vector_module(fn, 8, 8, batch_norm_momentum=True)
  thread.join()
  assert not failures
  np.testing.assert_array_equal(results[0], expected)
  assert np.any(results[1])
  assert norm.momentum == MOMENTUM
  assert len(spec.function.variants) == 2
