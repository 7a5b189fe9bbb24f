# SPDX-License-Identifier: Apache-2.0
"""F4: each weight penalty once, with its value, in every variant."""

from __future__ import annotations

import numpy as np
import pytest

from hub_image_export.tensorflow_api.compat import tf
from tests.conformance.warnings_of import warnings_of
from tests.support import keras_sources, models
from tests.support.consumer import REGULARIZATION_LOSSES, Consumer

keras, layers = keras_sources.keras, keras_sources.layers


def test_each_penalty_once_with_its_value(exported):
  for tags in exported.model.variants:
    # Consumers import them with the module's trainable=True.
    consumer = Consumer(exported.path, tags, trainable=True)
    found = consumer.run(consumer.collection(REGULARIZATION_LOSSES))
    assert len(found) == exported.model.penalties
    if exported.model.penalties:
      expected = sorted(exported.live.penalties())
      np.testing.assert_allclose(sorted(found), expected, rtol=1e-5)


def test_penalties_follow_the_weights(exports):
  """They are computed by the module, not baked in."""
  consumer = exports(models.by_name("tf1")).consumer({"train"})
  variables = consumer.variables
  kernel = variables["tiny/conv/weights"]
  with consumer.graph.as_default():
    halve = tf.compat.v1.assign(kernel, 0.5 * kernel)
  (loss,) = consumer.collection(REGULARIZATION_LOSSES)
  before = consumer.run(loss)
  consumer.run(halve)
  np.testing.assert_allclose(consumer.run(loss), before / 4, rtol=1e-5)


def test_a_layer_called_twice_is_penalized_once():
  inputs = keras.Input(keras_sources.SHAPE)
  shared = layers.Conv2D(3, 1, kernel_regularizer="l2", name="shared")
  x = layers.GlobalAveragePooling2D()(shared(shared(inputs)))
  consumer = Consumer(
    models.by_name("sequential").build(keras.Model(inputs, x)), trainable=True
  )
  assert len(consumer.collection(REGULARIZATION_LOSSES)) == 1


def test_equal_penalties_of_two_layers_are_two():
  """They have the same value, but are not the same penalty."""
  model = keras.Sequential(
    [
      layers.InputLayer(keras_sources.SHAPE),
      layers.Conv2D(3, 1, kernel_regularizer="l2", name="a"),
      layers.Conv2D(3, 1, kernel_regularizer="l2", name="b"),
      layers.GlobalAveragePooling2D(),
    ]
  )
  spec = models.by_name("sequential").build(model)
  consumer = Consumer(spec, trainable=True)
  assert len(consumer.collection(REGULARIZATION_LOSSES)) == 2


class _Penalizing(layers.Layer):
  def call(self, x):
    self.add_loss(0.1 * tf.reduce_mean(x))
    return x


@pytest.mark.parametrize(
  "layer",
  [
    lambda: layers.Conv2D(3, 1, activity_regularizer="l2", name="culprit"),
    lambda: _Penalizing(name="culprit"),
  ],
  ids=["activity_regularizer", "add_loss"],
)
def test_penalties_that_depend_on_images_are_dropped(layer, caplog):
  model = keras.Sequential(
    [
      layers.InputLayer(keras_sources.SHAPE),
      layer(),
      layers.Conv2D(3, 1, kernel_regularizer="l2", name="kept"),
      layers.GlobalAveragePooling2D(),
    ]
  )
  specs = []
  messages = warnings_of(
    caplog,
    lambda: specs.append(models.by_name("sequential").build(model)),
  )
  assert any("culprit" in m and "depends on the images" in m for m in messages)
  consumer = Consumer(specs[0], trainable=True)
  (loss,) = consumer.collection(REGULARIZATION_LOSSES)
  assert consumer.run(loss) > 0
