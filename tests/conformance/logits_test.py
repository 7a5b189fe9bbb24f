# SPDX-License-Identifier: Apache-2.0
"""C7: classifiers serve linear scores, whatever they end in."""

from __future__ import annotations

import numpy as np
import pytest

from hub_image_export.tensorflow_api.compat import tf
from tests.conformance.warnings_of import messages_of
from tests.support import keras_sources, models
from tests.support.consumer import Consumer, random_images

keras, layers = keras_sources.keras, keras_sources.layers
IMAGES = random_images(3, *models.by_name("softmax").height_and_width)


def _head(*last):
  random = np.random.RandomState(0)
  model = keras.Sequential(
    [
      layers.InputLayer(keras_sources.SHAPE),
      layers.GlobalAveragePooling2D(),
      *last,
    ]
  )
  for weight in model.weights:
    weight.assign(random.normal(size=weight.shape).astype(np.float32))
  return model


def _function(activation):
  """`softmax` of a matrix product, in a TF function."""
  head = tf.Variable(np.random.RandomState(0).normal(size=(3, 4)), tf.float32)
  head = tf.Variable(tf.cast(head, tf.float32))

  def fn(images):
    return activation(tf.reduce_mean(images, [1, 2]) @ head)

  return fn


def _heads():
  """A sigmoid for each class, and one more head for two of them."""
  inputs = keras.Input(keras_sources.SHAPE)
  x = layers.GlobalAveragePooling2D()(inputs)
  heads = [layers.Dense(n, activation="sigmoid")(x) for n in (1, 1, 2)]
  model = keras.Model(inputs, layers.Concatenate()(heads))
  random = np.random.RandomState(0)
  for weight in model.weights:
    weight.assign(3 * random.normal(size=weight.shape).astype(np.float32))
  return model


ENDINGS = {
  "dense_activation": lambda: _head(layers.Dense(4, activation="softmax")),
  "sigmoid_activation": lambda: _head(layers.Dense(4, activation="sigmoid")),
  "activation_layer": lambda: _head(
    layers.Dense(4), layers.Activation("softmax")
  ),
  "softmax_layer": lambda: _head(layers.Dense(4), layers.Softmax()),
  "float32_layer": lambda: _head(
    layers.Dense(4, dtype="mixed_float16"),
    layers.Activation("softmax", dtype="float32"),
  ),
  "linear_on_top": lambda: _head(
    layers.Dense(4, activation="softmax"),
    layers.Activation("linear", dtype="float32"),
  ),
  "half_precision": lambda: _head(
    layers.Dense(4, activation="softmax", dtype="mixed_float16")
  ),
  "fully_convolutional": lambda: _head(
    layers.Reshape((1, 1, 3)),
    layers.Conv2D(4, 1, activation="softmax"),
    layers.Flatten(),
  ),
  "sigmoid_map": lambda: _head(
    layers.Reshape((1, 1, 3)),
    layers.Conv2D(4, 1, activation="sigmoid"),
    layers.GlobalMaxPooling2D(),
  ),
  "sigmoid_heads": _heads,
  "function": lambda: _function(tf.nn.softmax),
  "function_squeezed": lambda: _function(
    lambda x: tf.squeeze(tf.nn.softmax(x[:, None, None]), [1, 2])
  ),
  "identity": lambda: _function(lambda x: tf.identity(tf.nn.sigmoid(x))),
  "cast": lambda: _function(
    lambda x: tf.cast(tf.nn.softmax(tf.cast(x, tf.float64)), tf.float32)
  ),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_activation_is_taken_off(ending, caplog):
  fn = ENDINGS[ending]()
  specs = []
  messages = messages_of(
    caplog, lambda: specs.append(models.by_name("softmax").build(fn))
  )
  assert any("taken off" in message for message in messages)
  found = _scores(specs[0])
  probabilities = np.array(fn(tf.constant(IMAGES)), np.float32)
  activate = tf.nn.softmax
  if "sigmoid" in ending or ending == "identity":
    activate = tf.nn.sigmoid
  assert np.any(found < 0) or np.any(found > 1)
  np.testing.assert_allclose(activate(found), probabilities, atol=2e-3)


def test_networks_with_an_activation_for_inference_only(tmp_path):
  """Both variants give logits, and both are held against the source."""
  head = tf.Variable(np.random.RandomState(0).normal(size=(3, 4)), tf.float32)
  head = tf.Variable(tf.cast(head, tf.float32))
  mean = tf.Variable(np.zeros(3, np.float32), trainable=False)

  def fn(images, training):
    x = tf.reduce_mean(images, [1, 2])
    if training:
      mean.assign(tf.reduce_mean(x, 0))
      return x @ head
    return tf.nn.softmax((x - mean) @ head)

  spec = models.by_name("softmax").build(fn)
  assert [v.activations for v in spec.function.variants] == [
    {"image_classification": "softmax"},
    {},
  ]
  assert spec.export(tmp_path / "module").verified


def _scores(spec):
  consumer = Consumer(spec)
  return consumer.run(consumer.outputs["default"]["default"], IMAGES)


@pytest.mark.parametrize("name", ["softmax", "sigmoid"])
def test_an_activation_in_a_task_of_the_registry(name, exports):
  exported = exports(models.by_name(name))
  scores = exported.live.outputs(IMAGES)["image_classification"]
  consumer = exported.consumer()
  found = consumer.run(consumer.outputs["default"]["default"], IMAGES)
  np.testing.assert_allclose(found, scores, rtol=1e-5, atol=1e-6)


def test_relu_stays():
  found = _scores(
    models.by_name("softmax").build(_head(layers.Dense(4, activation="relu")))
  )
  assert np.all(found >= 0)


def test_sigmoid_features_stay():
  """A feature vector is no classification: its activation is its own."""
  fn = _head(layers.Dense(4, activation="sigmoid"))
  found = _scores(models.by_name("sequential").build(fn))
  np.testing.assert_allclose(found, fn(IMAGES), rtol=1e-5)


def test_an_endpoint_keeps_the_probabilities():
  fn = _head(layers.Dense(4, activation="softmax", name="probabilities"))
  consumer = Consumer(
    models.by_name("softmax").build(fn, endpoints=["probabilities"])
  )
  outputs = consumer.run(consumer.outputs["default"], IMAGES)
  probabilities = outputs["probabilities"]
  np.testing.assert_allclose(probabilities, fn(IMAGES), rtol=1e-5)
  np.testing.assert_allclose(
    tf.nn.softmax(outputs["default"]), probabilities, rtol=1e-4
  )
