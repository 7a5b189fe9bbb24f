# SPDX-License-Identifier: Apache-2.0
"""Tiny Keras models whose layers change variables in unusual ways."""

from __future__ import annotations

from collections.abc import Callable

from hub_image_export.tensorflow_api.compat import tf
from tests.support.keras_sources import (
  HEIGHT,
  SHAPE,
  WIDTH,
  as_source,
  keras,
  layers,
)
from tests.support.live import Source

v1 = tf.compat.v1
SOURCES: dict[str, Callable[[], Source]] = {}


def _source(make):
  SOURCES[make.__name__] = make
  return make


def _pooled(x):
  return layers.GlobalAveragePooling2D()(x)


@_source
def shared_batch_norm() -> Source:
  inputs = keras.Input(SHAPE)
  norm = layers.BatchNormalization(momentum=0.9, name="shared")
  branches = [norm(layers.Conv2D(4, 3)(inputs)) for _ in range(2)]
  return as_source(keras.Model(inputs, _pooled(layers.Add()(branches))))


@_source
def grouped_convolution() -> Source:
  """Keras 3 calls a function that has captured the kernel."""
  inputs = keras.Input(SHAPE)
  x = layers.BatchNormalization(momentum=0.9)(layers.Conv2D(4, 3)(inputs))
  x = layers.Conv2D(4, 3, groups=2)(x)
  return as_source(keras.Model(inputs, _pooled(x)))


@_source
def backbone_called_twice() -> Source:
  inputs = keras.Input(SHAPE)
  backbone = keras.Sequential(
    [
      layers.InputLayer(SHAPE),
      layers.Conv2D(4, 3),
      layers.BatchNormalization(momentum=0.7),
      layers.GlobalAveragePooling2D(),
    ],
    name="backbone",
  )
  darker = layers.Rescaling(0.5)(inputs)
  both = layers.Concatenate()([backbone(inputs), backbone(darker)])
  return as_source(keras.Model(inputs, both))


@_source
def time_distributed() -> Source:
  inputs = keras.Input(SHAPE)
  strips = layers.Reshape((3, HEIGHT // 3, WIDTH, 3))(inputs)
  network = keras.Sequential(
    [
      layers.InputLayer((HEIGHT // 3, WIDTH, 3)),
      layers.Conv2D(4, 3),
      layers.BatchNormalization(momentum=0.9),
      layers.GlobalAveragePooling2D(),
    ]
  )
  x = layers.TimeDistributed(network)(strips)
  return as_source(keras.Model(inputs, layers.GlobalAveragePooling1D()(x)))


@_source
def spectral_normalization() -> Source:
  return as_source(
    keras.Sequential(
      [
        layers.InputLayer(SHAPE),
        layers.SpectralNormalization(layers.Conv2D(4, 3)),
        layers.GlobalAveragePooling2D(),
        layers.SpectralNormalization(layers.Dense(3), power_iterations=2),
      ]
    )
  )


class Switched(keras.layers.Layer):
  """Batch norm where `how(norm, images)` says."""

  def __init__(self, how):
    super().__init__()
    self.how = how
    self.norm = layers.BatchNormalization(momentum=0.8)

  def build(self, shape):
    self.norm.build(shape)
    super().build(shape)

  def call(self, x, training=False):
    return self.how(lambda y: self.norm(y, training=bool(training)), x)

  def compute_output_shape(self, shape):
    return shape


def _switched(how) -> Source:
  inputs = keras.Input(SHAPE)
  x = Switched(how)(layers.Conv2D(4, 3)(inputs))
  return as_source(keras.Model(inputs, _pooled(x)))


@_source
def batch_norm_in_cond() -> Source:
  return _switched(
    lambda norm, x: tf.cond(
      tf.reduce_mean(x) > -9.0, lambda: norm(x), lambda: x
    )
  )


@_source
def batch_norm_in_other_branch() -> Source:
  return _switched(
    lambda norm, x: tf.cond(
      tf.reduce_mean(x) > 99.0, lambda: norm(x), lambda: x
    )
  )


@_source
def batch_norm_in_case() -> Source:
  def how(norm, x):
    return tf.switch_case(
      tf.cast(tf.reduce_mean(x) > -9.0, tf.int32),
      [lambda: x, lambda: norm(norm(x)), lambda: 2.0 * x],
    )

  return _switched(how)


@_source
def batch_norm_in_loop() -> Source:
  def how(norm, x):
    _, x = tf.while_loop(
      lambda i, x: i < 3,
      lambda i, x: (i + 1, norm(x) + 0.1 * tf.cast(i, x.dtype)),
      (0, x),
    )
    return x

  return _switched(how)


@_source
def batch_norm_in_map() -> Source:
  def how(norm, x):
    halves = tf.stack([x, 2.0 * x + 0.1])
    return tf.reduce_sum(tf.map_fn(norm, halves), 0)

  return _switched(how)


@_source
def batch_norm_in_nested_functions() -> Source:
  def how(norm, x):
    @tf.function
    def inner(x):
      return tf.cond(tf.size(x) > 0, lambda: norm(x), lambda: x)

    @tf.function
    def outer(x):
      for _ in tf.range(2):
        x = inner(x)
      return inner(x + 0.5)

    return norm(outer(x))

  return _switched(how)


def _renorm(make) -> Source:
  return as_source(
    keras.Sequential(
      [
        layers.InputLayer(SHAPE),
        layers.Conv2D(4, 3),
        make(momentum=0.9, renorm=True, renorm_momentum=0.8),
        layers.GlobalAveragePooling2D(),
      ]
    )
  )


def _has_renorm() -> bool:
  try:
    layers.BatchNormalization(renorm=True)
  except (TypeError, ValueError):
    return False
  return True


if _has_renorm():

  @_source
  def renorm() -> Source:
    return _renorm(layers.BatchNormalization)

elif hasattr(keras, "__internal__"):

  @_source
  def renorm() -> Source:
    return _renorm(v1.keras.layers.BatchNormalization)


@_source
def recomputed() -> Source:
  """Gradients by recomputing, which hands variables through identities."""
  model = keras.Sequential(
    [
      layers.InputLayer((3,)),
      layers.Dense(4, "tanh", name="first"),
      layers.BatchNormalization(momentum=0.9),
    ]
  )
  first, norm = model.layers

  def fn(images, is_training):
    x = tf.recompute_grad(first)(tf.reduce_mean(images, [1, 2]))
    return norm(x, training=is_training)

  source = as_source(model, fn)
  return Source(fn=fn, owner=source.owner, call=fn)


@_source
def equal_penalties_of_a_model() -> Source:
  """One kernel is penalized three times, twice in the same way."""
  model = keras.Sequential(
    [
      layers.InputLayer(SHAPE),
      layers.Conv2D(4, 3, kernel_regularizer="l2", name="conv"),
      layers.BatchNormalization(),
      layers.GlobalAveragePooling2D(),
    ]
  )
  (conv,) = (x for x in model.layers if x.name == "conv")
  if hasattr(conv, "_callable_losses"):  # Keras 3 has no losses of weights.
    for _ in range(2):
      conv.add_loss(lambda: 0.1 * tf.reduce_sum(conv.kernel**2))
  return as_source(model)


class _TrainsItself(keras.layers.Layer):
  """Makes a step of its own before it is used, by gradients of its own."""

  def build(self, shape):
    self.kernel = self.add_weight(shape=(3, 4), name="kernel")
    self.optimizer = keras.optimizers.SGD(0.5)
    self.optimizer.build([self.kernel])
    super().build(shape)

  def call(self, x, training=False):
    if training:
      with tf.GradientTape() as tape:
        loss = tf.reduce_mean((x @ tf.convert_to_tensor(self.kernel)) ** 2)
      gradient = tape.gradient(loss, self.kernel)
      self.optimizer.apply_gradients([(gradient, self.kernel)])
    return x @ tf.convert_to_tensor(self.kernel)


@_source
def a_step_within_the_step() -> Source:
  inputs = keras.Input(SHAPE)
  x = layers.GlobalAveragePooling2D()(inputs)
  return as_source(keras.Model(inputs, _TrainsItself()(x)))
