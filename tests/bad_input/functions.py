# SPDX-License-Identifier: Apache-2.0
"""Wrong functions and models, for the tests that share them."""

from __future__ import annotations

import numpy as np

from hub_image_export.tensorflow_api.compat import tf
from tests.support.keras_sources import SHAPE, keras, layers

v1 = tf.compat.v1


def ok(images):
  return tf.reduce_mean(images, [1, 2])


def returning(make):
  """A function on images that returns `make(images)`."""
  return lambda: lambda images: make(images)


def raising(images, is_training):
  if is_training:
    raise RuntimeError("the training part is broken")
  return ok(images)


def sequential(*shape, **options):
  def make():
    return keras.Sequential(
      [
        keras.Input(shape, **options),
        layers.Conv2D(2, 3, padding="same"),
        layers.GlobalAveragePooling2D(),
      ]
    )

  return make


def two_inputs():
  inputs = [keras.Input(SHAPE), keras.Input((3,))]
  x = layers.GlobalAveragePooling2D()(inputs[0])
  return keras.Model(inputs, layers.Add()([x, inputs[1]]))


def integer_images():
  return keras.Sequential(
    [
      keras.Input(SHAPE, dtype="uint8"),
      layers.Rescaling(1 / 255),
      layers.GlobalAveragePooling2D(),
    ]
  )


def channels_first():
  return keras.Sequential(
    [
      keras.Input(SHAPE),
      layers.GlobalAveragePooling2D(data_format="channels_first", name="pool"),
    ]
  )


def collecting(*keys):
  def make():
    def fn(images):
      for key in keys:
        v1.add_to_collection(key, tf.constant(1.0))
      return ok(images)

    return fn

  return make


def table(images):
  keys = tf.constant([0, 1], tf.int64)
  initializer = tf.lookup.KeyValueTensorInitializer(keys, keys)
  found = tf.lookup.StaticHashTable(initializer, 0)
  return ok(images) + tf.cast(found[tf.constant([0], tf.int64)], tf.float32)


def python(images):
  result = tf.numpy_function(np.mean, [images], tf.float32)
  return ok(images) + tf.reshape(result, [1, 1])


@tf.custom_gradient
def reverse(x):
  return tf.identity(x), lambda dy: -dy


def reversing(images, is_training):
  x = reverse(images) if is_training else images
  scale = 2.0 if is_training else 1.0
  return ok(x) * scale


def ignoring_momentum(images, is_training, batch_norm_momentum):
  del batch_norm_momentum
  return ok(images) * (2.0 if is_training else 1.0)


def without_batch_norm():
  return keras.Sequential(
    [
      keras.Input(SHAPE),
      layers.Dropout(0.5),
      layers.Conv2D(2, 3),
      layers.GlobalAveragePooling2D(),
    ]
  )
