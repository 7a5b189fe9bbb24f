# SPDX-License-Identifier: Apache-2.0
"""Dropout on an output is found, by the layer's name (C5)."""

import pytest

from hub_image_export.graph import random_numbers as randomness
from hub_image_export.tensorflow_api.compat import tf
from tests.support.portability_cases import trace

_RATE = 0.5


def _layers():
  layers = tf.keras.layers
  yield layers.Dropout(_RATE, name="noisy")
  yield layers.SpatialDropout2D(_RATE, name="noisy")
  yield layers.GaussianDropout(_RATE, name="noisy")
  yield layers.GaussianNoise(_RATE, name="noisy")
  yield layers.AlphaDropout(_RATE, name="noisy")


@pytest.mark.parametrize(
  "layer", list(_layers()), ids=lambda i: type(i).__name__
)
def test_the_layer_that_drops_an_output_is_named(layer):
  case = trace(lambda images: layer(images, training=True))
  assert "noisy" in randomness.dropout_on(case.graph_def, "result:0")


@pytest.mark.parametrize(
  "layer", list(_layers()), ids=lambda i: type(i).__name__
)
def test_it_is_found_after_the_state_is_gone(layer):
  case = trace(lambda images: layer(images, training=True)).portable()
  assert "noisy" in randomness.dropout_on(case.graph_def, "result:0")


@pytest.mark.parametrize(
  "pass_on",
  [
    tf.identity,
    lambda x: tf.reshape(x, [-1, 192]),
    lambda x: tf.squeeze(tf.expand_dims(x, 1), 1),
    lambda x: tf.cast(tf.cast(x, tf.float64), tf.float32),
    lambda x: tf.identity_n([tf.zeros([]), x])[1],
    lambda x: 2.0 * x + 1.0,
  ],
)
def test_it_is_found_through_ops_that_pass_values_on(pass_on):
  case = trace(lambda images: pass_on(tf.nn.dropout(images, _RATE, name="d")))
  assert randomness.dropout_on(case.graph_def, "result:0").startswith("d")


def test_dropout_of_slim_is_named_by_its_scope():
  scope = "InceptionV3/Logits/Dropout_1b"

  def head(images):
    dropped = tf.compat.v1.nn.dropout(images, rate=_RATE, name=scope)
    return tf.reshape(dropped, [-1, 192])

  found = randomness.dropout_on(trace(head).graph_def, "result:0")
  assert found.startswith(scope)


def _after_convolution(images):
  kernel = tf.ones([3, 3, 3, 4])
  return tf.nn.conv2d(tf.nn.dropout(images, _RATE), kernel, 1, "SAME")


@pytest.mark.parametrize(
  "network",
  [
    _after_convolution,
    lambda x: tf.reduce_mean(tf.nn.dropout(x, _RATE), [1, 2]),
    lambda x: tf.nn.relu(tf.nn.dropout(x, _RATE)),
    lambda x: x + tf.nn.dropout(tf.sin(x), _RATE),  # Stochastic depth.
    lambda x: x * tf.reduce_mean(x, [1, 2], keepdims=True),
  ],
)
def test_dropout_inside_the_network_is_allowed(network):
  case = trace(network)
  assert randomness.dropout_on(case.graph_def, "result:0") is None
