# SPDX-License-Identifier: Apache-2.0
"""Tiny Keras models for the tests; each function makes a new one.

`tf.keras` is Keras 2 or Keras 3, depending on TensorFlow's version; tf_keras
is Keras 2 beside it, where it is installed.
"""

from __future__ import annotations

import importlib

import numpy as np

from hub_image_export.tensorflow_api.compat import tf
from tests.support.live import Source

HEIGHT, WIDTH = 12, 10
SHAPE = (HEIGHT, WIDTH, 3)

keras = tf.keras
layers = keras.layers
HAS_KERAS_2 = hasattr(layers, "experimental")


def with_random_weights(model):
  """Statistics and scales that are not those of a new layer, and positive."""
  random = np.random.RandomState(7)
  for weight in model.weights:
    name = getattr(weight, "path", weight.name)
    low = -0.5 if "kernel" in name else 0.2
    weight.assign(random.uniform(low, 0.8, weight.shape).astype(np.float32))
  return model


def as_source(model, fn=None) -> Source:
  def call(images, training):
    return model(images, training=training)

  return Source(fn=fn or model, owner=with_random_weights(model), call=call)


def functional() -> Source:
  """Swish, batch norm, dropout, and a penalty of each kind of weight."""
  inputs = keras.Input(SHAPE)
  x = layers.Conv2D(
    6,
    3,
    activation="swish",
    kernel_regularizer=keras.regularizers.L2(0.01),
    name="conv",
  )(inputs)
  x = layers.BatchNormalization(
    momentum=0.8, gamma_regularizer=keras.regularizers.L1(0.02), name="bn"
  )(x)
  x = layers.Dropout(0.4, name="drop")(x)
  x = layers.GlobalAveragePooling2D(name="pool")(x)
  outputs = layers.Dense(
    5, bias_regularizer=keras.regularizers.L2(0.03), name="features"
  )(x)
  model = keras.Model(inputs, outputs, name="functional")
  exposed = keras.Model(
    inputs,
    [outputs] + [model.get_layer(name).output for name in ("conv", "bn")],
  )
  source = as_source(model)

  def call(images, training):
    output, conv, bn = exposed(images, training=training)
    return output, {"conv": conv, "bn": bn}

  return Source(fn=source.fn, owner=source.owner, call=call)


def two_outputs() -> Source:
  """The second one is meant."""
  inputs = keras.Input(SHAPE)
  x = layers.Conv2D(5, 3, use_bias=False, name="conv")(inputs)
  x = layers.BatchNormalization(name="bn")(x)
  pooled = layers.GlobalAveragePooling2D(name="pooled")(x)
  bounded = layers.Activation("tanh", name="bounded")(pooled)
  model = with_random_weights(keras.Model(inputs, [pooled, bounded]))

  def call(images, training):
    return model(images, training=training)[1]

  return Source(fn=model, owner=model, call=call)


def sequential(package=keras) -> Source:
  return as_source(
    package.Sequential(
      [
        package.layers.InputLayer(SHAPE),
        package.layers.Rescaling(2.0, offset=-1.0),
        package.layers.Conv2D(6, 3, use_bias=False, name="conv"),
        package.layers.BatchNormalization(momentum=0.9, name="bn"),
        package.layers.ReLU(),
        package.layers.DepthwiseConv2D(3, strides=2, name="depthwise"),
        package.layers.GlobalAveragePooling2D(),
      ]
    )
  )


def tf_keras_sequential() -> Source:
  return sequential(importlib.import_module("tf_keras"))


class Subclassed(keras.Model):
  """Without a static graph of layers."""

  def __init__(self):
    super().__init__(name="subclassed")
    self.conv = layers.Conv2D(4, 3, activation="gelu", name="conv")
    self.bn = layers.BatchNormalization(name="bn")
    self.drop = layers.Dropout(0.5)
    self.top = layers.Dense(3, name="top")

  def call(self, images, training=False):
    x = self.bn(self.conv(images), training=training)
    x = self.drop(x, training=training)
    return self.top(tf.reduce_mean(x, [1, 2]))


def subclassed() -> Source:
  model = Subclassed()
  model(tf.zeros([1, *SHAPE]))
  return as_source(model)


def subclassed_not_built() -> Source:
  model = Subclassed()

  def call(images, training):
    return model(images, training=training)

  return Source(fn=model, owner=model, call=call)


class Brightening(keras.Model):
  """Python control flow on a tensor, which Keras 3 does not support."""

  def __init__(self):
    super().__init__(name="brightening")
    self.conv = layers.Conv2D(4, 3, name="conv")

  def call(self, x):
    if tf.reduce_mean(x) < 0.1:
      x = x + 0.25
    else:
      x = x * 2.0
    return tf.reduce_mean(self.conv(x), [1, 2])


def control_flow() -> Source:
  model = Brightening()
  model(tf.zeros([1, *SHAPE]))
  source = as_source(model)
  return Source(fn=model, owner=source.owner, call=lambda x, training: model(x))


def mixed_float16() -> Source:
  options = {"dtype": "mixed_float16"}
  return as_source(
    keras.Sequential(
      [
        layers.InputLayer(SHAPE),
        layers.Conv2D(4, 3, activation="relu", name="conv", **options),
        layers.BatchNormalization(name="bn", **options),
        layers.GlobalAveragePooling2D(**options),
        layers.Dense(3, name="top", **options),
      ]
    )
  )


def frozen() -> Source:
  """The first convolution and batch norm are frozen, the second are not."""
  inputs = keras.Input(SHAPE)
  x = layers.Conv2D(4, 3, name="conv_1", trainable=False)(inputs)
  x = layers.BatchNormalization(name="bn_1", trainable=False)(x)
  x = layers.Conv2D(4, 3, name="conv_2")(x)
  x = layers.BatchNormalization(name="bn_2")(x)
  x = layers.GlobalAveragePooling2D()(x)
  return as_source(keras.Model(inputs, x))


def adapted() -> Source:
  """A Normalization layer's statistics are constants, or variables."""
  normalization = layers.Normalization()
  random = np.random.RandomState(0)
  normalization.adapt(random.uniform(size=(8, *SHAPE)).astype(np.float32))
  inputs = keras.Input(SHAPE)
  x = layers.Conv2D(4, 3, activation="relu", name="conv")(normalization(inputs))
  model = keras.Model(inputs, layers.GlobalAveragePooling2D()(x))

  def call(images, training):
    return model(images, training=training)

  return Source(fn=model, owner=model, call=call)


def classifier(activation=None, name="classifier") -> Source:
  """The activation in a layer of its own, behind a cast to another type."""
  inputs = keras.Input(SHAPE)
  x = layers.Conv2D(6, 3, name="map")(inputs)
  x = layers.BatchNormalization(name="bn")(x)
  x = layers.GlobalAveragePooling2D(name="pool")(x)
  x = layers.Dense(4, name="logits")(x)
  scores = keras.Model(inputs, x)
  if activation:
    x = layers.Activation(activation, name="probabilities")(x)
  source = as_source(keras.Model(inputs, x, name=name))

  def call(images, training):
    return scores(images, training=training)

  return Source(fn=source.fn, owner=source.owner, call=call)


def recurrent() -> Source:
  """Loops over the rows of an image, two of which have equal bodies."""
  model = keras.Sequential(
    [
      layers.InputLayer(SHAPE),
      layers.Reshape((HEIGHT, WIDTH * 3)),
      layers.GRU(5, return_sequences=True),
      layers.GRU(5, return_sequences=True),
      layers.Bidirectional(layers.LSTM(4)),
    ]
  )
  return as_source(model)


def softmax_classifier() -> Source:
  return classifier("softmax")


def sigmoid_classifier() -> Source:
  return classifier("sigmoid")


def classifier_with_features() -> Source:
  source = classifier()
  model = source.owner
  exposed = keras.Model(
    model.input, [model.output, model.get_layer("map").output]
  )

  def call(images, training):
    scores, feature_map = exposed(images, training=training)
    return {
      "image_classification": scores,
      "image_feature_vector": tf.reduce_mean(feature_map, [1, 2]),
    }

  return Source(fn=source.fn, owner=source.owner, call=call)


def fully_convolutional() -> Source:
  inputs = keras.Input((None, None, 3))
  x = layers.Conv2D(4, 3, activation="relu", name="conv")(inputs)
  x = layers.BatchNormalization(name="bn")(x)
  return as_source(keras.Model(inputs, layers.GlobalAveragePooling2D()(x)))


def closure() -> Source:
  """A function around a model; it preprocesses, and has endpoints."""
  model = sequential().owner

  def fn(images, is_training):
    features = model(1.0 - images, training=is_training)
    return features, {"squares": features**2}

  return Source(fn=fn, owner=model, call=fn)
