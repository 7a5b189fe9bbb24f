# SPDX-License-Identifier: Apache-2.0
"""Exports models, each with the same weights in every process.

  python -m tests.export.same_bytes_program DIRECTORY SEED

What differs between two runs is what the caller sets: the random seed, hash
seed, locale, working directory, and whether other functions were traced
before, which moves TensorFlow's counters on.
"""

from __future__ import annotations

import os
import sys

import numpy as np

import hub_image_export as hie
from hub_image_export.tensorflow_api.compat import tf

layers = tf.keras.layers


def keras_model():
  """Dropout, batch norm, swish, a penalty."""
  inputs = layers.Input([16, 16, 3], name="pixels")
  x = layers.Conv2D(
    4, 3, activation="swish", kernel_regularizer="l2", name="conv"
  )(inputs)
  x = layers.BatchNormalization(name="bn")(x)
  x = layers.Dropout(0.5, name="dropout")(x)
  x = layers.GlobalAveragePooling2D(name="pool")(x)
  outputs = layers.Dense(3, activation="softmax", name="scores")(x)
  model = tf.keras.Model(inputs, outputs, name="net")
  random = np.random.RandomState(1)
  for variable in model.weights:
    if tf.as_dtype(variable.dtype).is_floating:
      variable.assign(random.uniform(0.1, 0.9, variable.shape))
  return model


def tf1_function(images, is_training):
  values = np.random.RandomState(2).uniform(size=[3, 3, 3, 4])
  kernel = tf.compat.v1.get_variable("kernel", initializer=np.float32(values))
  x = tf.nn.conv2d(images, kernel, 2, "SAME")
  if is_training:
    x = tf.nn.dropout(x, rate=0.3)
  return tf.reduce_mean(x, [1, 2])


class ControlFlow(tf.Module):
  """Functional control flow, which has functions in the graph."""

  def __init__(self):
    super().__init__()
    self.scale = tf.Variable([1.0, 2.0, 3.0], name="scale")

  @tf.function(input_signature=[tf.TensorSpec([None, 16, 16, 3])])
  def __call__(self, images):
    x = tf.reduce_mean(images, [1, 2]) * self.scale
    bright = tf.reduce_mean(images) > 0.5
    x = tf.cond(bright, lambda: x - 0.5, lambda: tf.nn.relu(x))
    for _ in tf.range(3):
      x = x * 2.0
    return x


def trace_others(count):
  """Moves the process's counters of functions on."""
  for i in range(count):
    tf.function(lambda x: tf.cond(x > 0.0, lambda: x, lambda: -x))(
      tf.constant(float(i + 1))
    )


def main(directory, seed):
  tf.random.set_seed(seed)
  trace_others(seed % 7)
  model = keras_model()
  saved = os.path.join(directory, "saved_model")
  tf.saved_model.save(ControlFlow(), saved)
  specs = {
    "keras": hie.make_image_module(
      model, 16, 16, default_task="image_classification",
      feature_layer="pool", endpoints=["conv"], arch_name="Net",
      labels=["ä", "b", "c"], preprocess="tf", batch_norm_momentum=True,
    ),
    "keras_again": hie.make_image_module(
      model, 16, 16, default_task="image_classification",
      feature_layer="pool", endpoints=["conv"], arch_name="Net",
      labels=["ä", "b", "c"], preprocess="tf", batch_norm_momentum=True,
    ),
    "tf1": hie.make_feature_vector_module(tf1_function, 16, 16),
    "control_flow": hie.make_feature_vector_module(ControlFlow(), 16, 16),
    "saved": hie.make_feature_vector_module(saved, 16, 16),
  }  # fmt: skip
  for name, spec in specs.items():
    path = os.path.join(directory, name)
    spec.export(path)
    hie.write_archive(path, f"{path}.tar.gz")


if __name__ == "__main__":
  main(sys.argv[1], int(sys.argv[2]))
