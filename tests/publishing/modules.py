# SPDX-License-Identifier: Apache-2.0
"""A small module for the tests of what is published of it."""

from __future__ import annotations

import numpy as np

import hub_image_export as hie
from hub_image_export.tensorflow_api.compat import tf

LABELS = ["cat", "<b>dog</b> | *x*", "`neither`"]
DETAILS = {
  "handle": "my-lab/pets/1",
  "asset_path": "https://example.com/pets/1.tar.gz",
}


def network(images, is_training=False):
  """Two tasks and two endpoints, with weights of fixed values."""

  def weights(name, shape):
    values = np.random.RandomState(len(name)).uniform(-0.5, 0.5, shape)
    return tf.compat.v1.get_variable(name, initializer=np.float32(values))

  hidden = tf.nn.conv2d(images, weights("conv/kernel", [3, 3, 3, 4]), 2, "SAME")
  features = tf.reduce_mean(tf.nn.relu(hidden), [1, 2])
  if is_training:
    features = tf.nn.dropout(features, rate=0.5)
  logits = tf.linalg.matmul(features, weights("logits/kernel", [4, 3]))
  side = tf.nn.conv2d(hidden, weights("side/kernel", [1, 1, 4, 2]), 1, "SAME")
  return {
    "image_classification": logits,
    "image_feature_vector": tf.reduce_mean(tf.nn.relu(hidden), [1, 2]),
    "Pets/conv": hidden,
    "Pets/side": side,
  }


def spec(**options):
  return hie.make_image_module(
    network, 12, 10, default_task="image_classification", **options
  )


def classifier(**options):
  return hie.make_classification_module(
    lambda images: network(images)["image_classification"], 12, 10, **options
  )
