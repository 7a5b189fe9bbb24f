# SPDX-License-Identifier: Apache-2.0
"""Exports a TF1 graph function: variables, collections, `is_training`.

  python -m examples.from_tf1_function --export_path=path/to/module

The function is DigitsNet again, in plain TF1. A module made from a function
has the initial values of its variables; here, these are the trained weights.
"""

from __future__ import annotations

import numpy as np
import tensorflow.compat.v1 as tf
from absl import app, flags

import hub_image_export as hie
from examples import digits_network

_EXPORT_PATH = flags.DEFINE_string(
  "export_path", None, "Directory of the module to be made.", required=True
)


def make_network(weights):
  """A TF1 graph function whose variables start from `weights`, by name."""

  def variable(name, **options):
    return tf.get_variable(name, initializer=weights[name], **options)

  def batch_norm(x, name, is_training, momentum=0.9, epsilon=1e-3):
    gamma, beta = variable(name + "/gamma"), variable(name + "/beta")
    mean = variable(name + "/moving_mean", trainable=False)
    variance = variable(name + "/moving_variance", trainable=False)
    if not is_training:
      return tf.nn.batch_normalization(x, mean, variance, beta, gamma, epsilon)
    batch_mean, batch_variance = tf.nn.moments(x, [0, 1, 2])
    for moving, new in ((mean, batch_mean), (variance, batch_variance)):
      update = moving.assign_sub((moving - new) * (1 - momentum))
      tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, update)
    return tf.nn.batch_normalization(
      x, batch_mean, batch_variance, beta, gamma, epsilon
    )

  def network(images, is_training):
    x = images
    endpoints = {}
    for name in ("conv1", "conv2", "conv3"):
      kernel = variable(
        name + "/kernel", regularizer=lambda w: 1e-4 * tf.reduce_sum(w * w)
      )
      x = tf.nn.conv2d(x, kernel, strides=2, padding="SAME")
      x = tf.nn.relu(batch_norm(x, name + "_bn", is_training))
      endpoints[name] = x
    features = tf.reduce_mean(x, [1, 2])
    x = tf.nn.dropout(features, rate=0.2) if is_training else features
    logits = tf.matmul(x, variable("predictions/kernel"))
    return {
      "image_feature_vector": features,
      "image_classification": logits + variable("predictions/bias"),
    }, endpoints

  return network


def main(argv):
  del argv
  with np.load(digits_network.WEIGHTS) as weights:
    spec = hie.make_image_module(
      make_network(dict(weights)),
      height=digits_network.IMAGE_SIZE,
      width=digits_network.IMAGE_SIZE,
      default_task="image_classification",
      arch_name="DigitsNet",
    )
  spec.export(_EXPORT_PATH.value)
  print(f"Module exported to {_EXPORT_PATH.value}")


if __name__ == "__main__":
  app.run(main)
