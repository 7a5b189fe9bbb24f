# SPDX-License-Identifier: Apache-2.0
"""DigitsNet: a small convolutional classifier of handwritten digits.

It has what larger networks have (batch norm, dropout, weight penalties, a
softmax at the end) in 55,000 weights. Its trained weights are in `data/`, where
`python -m examples.digits_network` puts them.
"""

from __future__ import annotations

import math
import pathlib

import numpy as np
import tensorflow as tf

from examples import digits_data

IMAGE_SIZE = 32
FEATURE_LAYER = "features"
WEIGHTS = pathlib.Path(__file__).parent / "data" / "digits_network.npz"

_BATCH_SIZE = 32
_EPOCHS = 20


def _convolution(x, filters: int, name: str):
  """Convolution of stride 2, batch norm, ReLU: halves height and width."""
  x = tf.keras.layers.Conv2D(
    filters,
    3,
    strides=2,
    padding="same",
    use_bias=False,
    kernel_regularizer=tf.keras.regularizers.L2(1e-4),
    name=name,
  )(x)
  # The usual momentum, 0.99, needs more steps than an example takes.
  x = tf.keras.layers.BatchNormalization(momentum=0.9, name=name + "_bn")(x)
  return tf.keras.layers.ReLU(name=name + "_relu")(x)


def build():
  """A new network, from `[batch_size, 32, 32, 3]` to `[batch_size, 10]`.

  Takes RGB in [0, 1]; yields probabilities. The layer "features" has one
  vector of 96 numbers for each image.
  """
  images = tf.keras.Input([IMAGE_SIZE, IMAGE_SIZE, 3], name="images")
  x = _convolution(images, 24, "conv1")
  x = _convolution(x, 48, "conv2")
  x = _convolution(x, 96, "conv3")
  x = tf.keras.layers.GlobalAveragePooling2D(name=FEATURE_LAYER)(x)
  x = tf.keras.layers.Dropout(0.2, name="dropout")(x)
  probabilities = tf.keras.layers.Dense(
    digits_data.NUM_CLASSES, activation="softmax", name="predictions"
  )(x)
  return tf.keras.Model(images, probabilities, name="digits_net")


def named_weights(model) -> dict:
  """The variables of `model` by names that all versions of Keras share."""
  return {
    f"{layer.name}/{variable.name.split('/')[-1].split(':')[0]}": variable
    for layer in model.layers
    for variable in layer.weights
    if "seed" not in variable.name  # Keras 3: the state of the dropout.
  }


def train(model, digits: digits_data.Digits) -> None:
  """Trains for about ten seconds on two cores."""
  steps = _EPOCHS * math.ceil(len(digits.train_labels) / _BATCH_SIZE)
  learning_rate = tf.keras.optimizers.schedules.CosineDecay(5e-3, steps)
  model.compile(
    optimizer=tf.keras.optimizers.Adam(learning_rate),
    loss="sparse_categorical_crossentropy",
  )
  model.fit(
    digits.train_images,
    digits.train_labels,
    batch_size=_BATCH_SIZE,
    epochs=_EPOCHS,
    verbose=0,
  )


def accuracy(model, digits: digits_data.Digits) -> float:
  """The share of the test images that `model` classifies correctly."""
  probabilities = model.predict(digits.test_images, verbose=0)
  return float(np.mean(np.argmax(probabilities, -1) == digits.test_labels))


def save_weights(model, path=WEIGHTS) -> None:
  variables = named_weights(model)
  np.savez(path, **{name: v.numpy() for name, v in variables.items()})


def load_trained(path=WEIGHTS):
  """The network with its trained weights."""
  model = build()
  with np.load(path) as values:
    for name, variable in named_weights(model).items():
      variable.assign(values[name])
  return model


def train_new(seed: int = 1):
  """A network trained from scratch."""
  tf.keras.utils.set_random_seed(seed)
  model = build()
  train(model, digits_data.load(IMAGE_SIZE, IMAGE_SIZE))
  return model


def main() -> None:
  model = train_new()
  digits = digits_data.load(IMAGE_SIZE, IMAGE_SIZE)
  print(f"Accuracy of DigitsNet: {accuracy(model, digits):.1%}")
  save_weights(model)
  print(f"Weights written to {WEIGHTS}")


if __name__ == "__main__":
  main()
