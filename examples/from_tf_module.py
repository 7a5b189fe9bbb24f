# SPDX-License-Identifier: Apache-2.0
"""Trains a tf.Module by TF2 code and exports it, for two tasks.

  python -m examples.from_tf_module --export_path=path/to/module

Its `training` argument gives the module two variants: dropout is at work in
the one for training alone.
"""

from __future__ import annotations

import tensorflow as tf
from absl import app, flags

import hub_image_export as hie
from examples import digits_data

_EXPORT_PATH = flags.DEFINE_string(
  "export_path", None, "Directory of the module to be made.", required=True
)
_SIZE = 32  # Height and width of the images.


class Perceptron(tf.Module):
  """Two dense layers on the brightness of 8 x 8 patches."""

  def __init__(self, num_features: int, num_classes: int):
    super().__init__(name="perceptron")
    glorot = tf.keras.initializers.GlorotUniform(seed=1)
    self.hidden = tf.Variable(glorot([64, num_features]), name="hidden/weights")
    self.bias = tf.Variable(tf.zeros([num_features]), name="hidden/bias")
    self.output = tf.Variable(
      glorot([num_features, num_classes]), name="output/weights"
    )

  def __call__(self, images, training=False):
    gray = tf.reduce_mean(images, axis=-1, keepdims=True)
    patches = tf.nn.avg_pool2d(gray, _SIZE // 8, _SIZE // 8, "VALID")
    x = tf.reshape(patches, [-1, 64]) - 0.3
    features = tf.nn.relu(tf.matmul(x, self.hidden) + self.bias)
    dropped = tf.nn.dropout(features, 0.3) if training else features
    return {
      "image_feature_vector": features,
      "image_classification": tf.matmul(dropped, self.output),
    }


def train(network: Perceptron, images, labels) -> None:
  optimizer = tf.keras.optimizers.Adam(0.01)

  @tf.function
  def step(x, y):
    with tf.GradientTape() as tape:
      logits = network(x, training=True)["image_classification"]
      losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)
    variables = network.trainable_variables
    gradients = tape.gradient(losses, variables)
    optimizer.apply_gradients(zip(gradients, variables))

  data = tf.data.Dataset.from_tensor_slices((images, labels))
  for x, y in data.shuffle(len(labels), seed=1).repeat(30).batch(64):
    step(x, y)


def main(argv):
  del argv
  digits = digits_data.load(_SIZE, _SIZE)
  network = Perceptron(num_features=64, num_classes=digits_data.NUM_CLASSES)
  train(network, digits.train_images, digits.train_labels)
  spec = hie.make_image_module(
    network, _SIZE, _SIZE, default_task="image_classification"
  )
  spec.export(_EXPORT_PATH.value)
  print(f"Module exported to {_EXPORT_PATH.value}")


if __name__ == "__main__":
  app.run(main)
