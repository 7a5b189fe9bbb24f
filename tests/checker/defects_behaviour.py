# SPDX-License-Identifier: Apache-2.0
"""Defects that only running the module shows (C3 to C17)."""

from __future__ import annotations

import numpy as np

from hub_image_export.tensorflow_api.compat import tf
from tests.checker import tiny
from tests.checker.corpus import breaks, warns

v1 = tf.compat.v1


def _with_nan(x):
  nan = tf.compat.v1.constant_initializer(np.nan)
  return tiny.pool(x) + tiny.variable("offset", [tiny.FILTERS], initializer=nan)


def _standardized(axes, scale=lambda x: x):
  """Without a guard against images of one colour."""

  def standardized(x):
    mean, variance = tf.nn.moments(x, axes, keepdims=True)
    return scale((x - mean) / tf.sqrt(variance))

  return standardized


def _nan_in_training(features, training):
  return features / 0.0 if training else features


def _average_of_nan(net):
  if net.training:
    average = tiny.variable("average", [], trainable=False)
    v1.add_to_collection(
      "update_ops", v1.assign_sub(average, 0.0 * _infinity())
    )
  else:
    tiny.variable("average", [], trainable=False)


def _infinity():
  return tf.math.log(0.0 * tf.ones([]))


breaks(
  "not-finite",
  logarithm_of_nothing=dict(scale=lambda x: tf.math.log(x - 0.5)),
  weights_are_nan=dict(make_features=_with_nan),
  standardized_without_epsilon=dict(scale=_standardized([1, 2, 3])),
  channels_standardized_without_epsilon=dict(scale=_standardized([1, 2])),
  logarithm_of_the_brightness=dict(
    scale=lambda x: x + 1e-3 * tf.math.log(tf.reduce_max(x, [1, 2], True))
  ),
  divided_by_darkness=dict(
    scale=lambda x: x / (1.0 - tf.reduce_min(x, [1, 2, 3], True))
  ),
  nan_in_training_only=dict(change_features=_nan_in_training),
  updates_make_nan=dict(finish=_average_of_nan),
)
breaks(
  "not-deterministic",
  dropout_is_always_on=dict(scale=lambda x: tf.nn.dropout(x, rate=0.5)),
)


def _batch_statistics(x, training, momentum):
  """Batch norm in training mode, at inference."""
  x = tiny.body(x, training, momentum)
  mean, variance = tf.nn.moments(x, [0, 1, 2])
  return tf.nn.batch_normalization(x, mean, variance, None, None, 1e-3)


def _from_three_images_on(x):
  x = tiny.pool(x)
  mean = tf.reduce_mean(x, 0, keepdims=True)
  return tf.where(tf.shape(x)[0] > 2, x - mean, x)


def _of_images(change):
  return dict(make_features=lambda x: change(tiny.pool(x)))


breaks(
  "batch-dependent",
  batch_statistics=dict(make_body=_batch_statistics),
  from_three_images_on=dict(make_features=_from_three_images_on),
  # In a batch of two, each image is its own neighbour but one.
  next_but_one=_of_images(lambda x: x + 0.5 * tf.roll(x, 2, 0)),
  neighbours=_of_images(lambda x: x + 0.5 * tf.roll(x, 1, 0)),
  batch_maximum=_of_images(lambda x: x / tf.reduce_max(tf.abs(x))),
)


def _flat(x):
  """Says that it takes any size, and takes one."""
  width = 4 * 4 * tiny.FILTERS
  kernel = tiny.variable("dense", [width, tiny.FILTERS])
  return tf.matmul(tf.reshape(x, [-1, width]), kernel)


breaks(
  "size-dependent",
  flattened=dict(
    make_images=lambda: tiny.placeholder(None), make_features=_flat, info=(8, 8)
  ),
)
breaks(
  "input-ignored",
  constant_features=dict(make_features=lambda x: 0.0 * tiny.pool(x) + 1.0),
)


def _kernel_first(x, training, momentum):
  kernel = tiny.variable("first/kernel", [1, 1, 3, 3])
  return tiny.body(tf.nn.conv2d(x, kernel, 1, "SAME"), training, momentum)


warns(
  "range-suspicious",
  divided_twice=dict(scale=lambda x: x / 255.0),
  mean_of_bytes=dict(scale=lambda x: x - tf.constant([123.7, 116.8, 103.9])),
  # As published modules do, whose documentation says [-1, 1].
  wants_minus_one_to_one=dict(scale=lambda x: (x + 1.0) * 127.5),
  # The weights expect 0 to 255, and no op shows it.
  hardly_answers=dict(
    scale=lambda x: x,
    make_body=_kernel_first,
    make_features=lambda x: tiny.pool(x) + 1000.0,
  ),
)


def _nchw_branch(net):
  """No output needs it; a CPU could not run it."""
  x = tf.transpose(net.images, [0, 3, 1, 2])
  tf.nn.conv2d(x, tf.ones([1, 1, 3, 3]), 1, "SAME", data_format="NCHW")


warns("channels-first", nchw_inside=dict(finish=_nchw_branch))
