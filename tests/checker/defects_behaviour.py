"""Defects that only running the module shows (C3 to C17)."""

from __future__ import annotations

import numpy as np

from hub_image_export.tensorflow_api.compat import tf
from tests.checker import tiny
from tests.checker.corpus import breaks, warns

v1 = tf.compat.v1


@breaks("not-finite")
def logarithm_of_nothing(path):
  tiny.build(path, scale=lambda x: tf.math.log(x - 0.5))


@breaks("not-finite")
def weights_are_nan(path):
  def features(x):
    nan = v1.constant_initializer(np.nan)
    return tiny.pool(x) + tiny.variable(
      "offset", [tiny.FILTERS], initializer=nan
    )

  tiny.build(path, make_features=features)


@breaks("not-deterministic")
def dropout_is_always_on(path):
  tiny.build(path, scale=lambda x: tf.nn.dropout(x, rate=0.5))


@breaks("batch-dependent")
def batch_statistics(path):
  """Batch norm in training mode, at inference."""

  def make_body(x, training, momentum):
    x = tiny.body(x, training, momentum)
    mean, variance = tf.nn.moments(x, [0, 1, 2])
    return tf.nn.batch_normalization(x, mean, variance, None, None, 1e-3)

  tiny.build(path, make_body=make_body)


@breaks("size-dependent")
def flattened(path):
  """Says that it takes any size, and takes one."""

  def features(x):
    flat = tf.reshape(x, [-1, 4 * 4 * tiny.FILTERS])
    return tf.matmul(
      flat, tiny.variable("dense", [4 * 4 * tiny.FILTERS, tiny.FILTERS])
    )

  tiny.build(
    path,
    make_images=lambda: tiny.placeholder(None),
    make_features=features,
    info=(8, 8),
  )


@breaks("input-ignored")
def constant_features(path):
  tiny.build(path, make_features=lambda x: 0.0 * tiny.pool(x) + 1.0)


@warns("range-suspicious")
def divided_twice(path):
  tiny.build(path, scale=lambda x: x / 255.0)


@warns("range-suspicious")
def mean_of_bytes(path):
  tiny.build(path, scale=lambda x: x - tf.constant([123.7, 116.8, 103.9]))


@warns("range-suspicious")
def wants_minus_one_to_one(path):
  """As published modules do, whose documentation says [-1, 1]."""
  tiny.build(path, scale=lambda x: (x + 1.0) * 127.5)


@warns("range-suspicious")
def hardly_answers(path):
  """The weights expect 0 to 255, and no op shows it."""

  def features(x):
    return tiny.pool(x) + 1000.0

  def make_body(x, training, momentum):
    kernel = tiny.variable("first/kernel", [1, 1, 3, 3])
    return tiny.body(tf.nn.conv2d(x, kernel, 1, "SAME"), training, momentum)

  tiny.build(
    path, scale=lambda x: x, make_body=make_body, make_features=features
  )


@warns("channels-first")
def nchw_inside(path):
  """In a branch that no output needs: a CPU could not run it."""

  def finish(net):
    x = tf.transpose(net.images, [0, 3, 1, 2])
    kernel = tf.ones([1, 1, 3, 3])
    tf.nn.conv2d(x, kernel, 1, "SAME", data_format="NCHW")

  tiny.build(path, finish=finish)
