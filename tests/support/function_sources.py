# SPDX-License-Identifier: Apache-2.0
"""Tiny models that are functions or a `tf.Module`, for the tests."""

from __future__ import annotations

import numpy as np

from hub_image_export.tensorflow_api.compat import tf
from tests.support.live import Source

v1 = tf.compat.v1
MOMENTUM = 0.9


def _initial(seed):
  return v1.random_uniform_initializer(0.1, 0.6, seed=seed)


def tf1_function(images, is_training):
  """As written for TF1: scopes, collections, endpoints, slim's momentum."""
  with v1.variable_scope("tiny"):
    kernel = v1.get_variable(
      "conv/weights",
      [3, 3, 3, 6],
      initializer=_initial(1),
      regularizer=lambda w: 0.01 * tf.nn.l2_loss(w),
    )
    x = tf.nn.conv2d(images, kernel, 2, "SAME")
    endpoints = {"conv": x}
    x = tf.nn.relu(_batch_norm(x, is_training))
  return tf.reduce_mean(x, [1, 2]), endpoints


def _batch_norm(x, is_training):
  gamma = v1.get_variable("bn/gamma", [6], initializer=_initial(2))
  options = {"initializer": _initial(3), "trainable": False}
  mean = v1.get_variable("bn/moving_mean", [6], **options)
  variance = v1.get_variable("bn/moving_variance", [6], **options)
  if not is_training:
    return tf.nn.batch_normalization(x, mean, variance, None, gamma, 1e-3)
  batch_mean, batch_variance = tf.nn.moments(x, [0, 1, 2])
  for average, batch in ((mean, batch_mean), (variance, batch_variance)):
    update = v1.assign_sub(average, (average - batch) * (1 - MOMENTUM))
    v1.add_to_collection(v1.GraphKeys.UPDATE_OPS, update)
  return tf.nn.batch_normalization(
    x, batch_mean, batch_variance, None, gamma, 1e-3
  )


def tf1() -> Source:
  return Source(fn=tf1_function, owner=None, call=None)


def tf1_layers() -> Source:
  """`tf.compat.v1.layers`, which fills the collections itself."""

  def fn(images, is_training):
    x = v1.layers.conv2d(
      images,
      4,
      3,
      name="conv",
      kernel_initializer=_initial(1),
      kernel_regularizer=lambda w: 0.02 * tf.nn.l2_loss(w),
    )
    x = v1.layers.batch_normalization(
      x, momentum=MOMENTUM, training=is_training, name="bn"
    )
    return tf.reduce_mean(x, [1, 2])

  return Source(fn=fn, owner=None, call=None)


class Net(tf.Module):
  """Batch norm by hand, with a variable for each of its numbers."""

  def __init__(self):
    super().__init__("net")
    random = np.random.RandomState(3)

    def values(*shape):
      return random.uniform(0.1, 0.6, shape).astype(np.float32)

    with self.name_scope:
      self.kernel = tf.Variable(values(3, 3, 3, 5), name="kernel")
      self.mean = tf.Variable(values(5), name="mean", trainable=False)
      self.variance = tf.Variable(values(5), name="variance", trainable=False)

  @tf.Module.with_name_scope
  def __call__(self, images, is_training=False):
    x = tf.nn.conv2d(images, self.kernel, 2, "SAME")
    if is_training:
      mean, variance = tf.nn.moments(x, [0, 1, 2])
      self.mean.assign(self.mean * MOMENTUM + mean * (1 - MOMENTUM))
      self.variance.assign(self.variance * MOMENTUM + variance * (1 - MOMENTUM))
    else:
      mean, variance = self.mean, self.variance
    x = tf.nn.batch_normalization(x, mean, variance, None, None, 1e-3)
    return tf.reduce_mean(tf.nn.relu(x), [1, 2])


def tf_module() -> Source:
  net = Net()
  return Source(fn=net, owner=net, call=net)


def nested_function() -> Source:
  """A `tf.function` that calls another, inside of a function."""
  net = Net()

  @tf.function
  def half(x):
    return 0.5 * x

  @tf.function
  def inner(images, is_training):
    return half(net(images, is_training)) + half(images[:, 0, 0, :1])

  def fn(images, is_training):
    return {"default": inner(images, is_training), "half": half(images)}

  return Source(fn=fn, owner=net, call=fn)


def two_tasks() -> Source:
  """A dict by tasks, with an endpoint."""
  net = Net()
  head = tf.Variable(
    np.random.RandomState(1).normal(size=(5, 4)).astype(np.float32),
    name="head",
  )

  def fn(images, is_training):
    features = net(images, is_training)
    return {
      "image_feature_vector": features,
      "image_classification": tf.matmul(features, head),
      "relu": tf.nn.relu(features),
    }

  owner = tf.Module()
  owner.parts = [net, head]
  return Source(fn=fn, owner=owner, call=fn)


def inference_only() -> Source:
  """No parameter for training: no training variant."""
  net = Net()

  def fn(images):
    return net(images)

  return Source(fn=fn, owner=net, call=lambda images, training: fn(images))


def control_flow() -> Source:
  """Python's `if` and `while` on tensors, here and in a `tf.function`."""
  net = Net()

  @tf.function
  def doubled_until_bright(x):
    while tf.reduce_max(x) < 4.0:
      x = 2.0 * x
    return x

  def fn(images):
    if tf.reduce_mean(images) < 0.1:
      images = images + 0.25
    else:
      images = images * 2.0
    return doubled_until_bright(net(images))

  return Source(fn=fn, owner=net, call=lambda images, training: fn(images))


def no_variables() -> Source:
  def fn(images):
    return tf.reduce_mean(images, [1, 2])

  return Source(
    fn=fn, owner=tf.Module(), call=lambda images, training: fn(images)
  )


def on_gpu() -> Source:
  """The author's machine has a GPU; consumers may have none."""
  net = Net()

  def fn(images, is_training):
    with tf.device("/GPU:0"):
      return net(images, is_training)

  return Source(fn=fn, owner=net, call=net)


def builds_keras_layers() -> Source:
  """Makes its layers, and their variables, each time it is called."""

  def fn(images, is_training):
    layers = tf.keras.layers
    x = layers.Conv2D(4, 3, name="made_conv")(images)
    x = layers.BatchNormalization(name="made_bn")(x, training=is_training)
    return tf.reduce_mean(x, [1, 2])

  return Source(fn=fn, owner=None, call=None)


def sampled(count):
  """Candidates of many: a draw that cannot be fixed."""
  true = tf.zeros([1, 1], tf.int64)
  found = tf.random.log_uniform_candidate_sampler(
    true, 1, count, True, 1_000_000
  )
  return tf.cast(found.sampled_candidates, tf.float32)
