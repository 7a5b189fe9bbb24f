# SPDX-License-Identifier: Apache-2.0
"""Fine-tunes a reusable SavedModel with Keras, of either version.

  python -m examples.digits --export_path=digits_module
  export_module --model=digits_module --task=classification \\
      --format=saved_model --export_path=digits_saved_model
  python -m examples.fine_tune_tf2 --module=digits_saved_model

The module knows white digits on black. Here it learns black digits on white,
turned by 90 degrees, as in examples.fine_tune. Keras 2 has `hub.KerasLayer`;
for Keras 3 it is the layer in examples/keras3_layer.py.
"""

import math

import numpy as np
import tensorflow as tf
from absl import app, flags

from examples import digits_data

_MODULE = flags.DEFINE_string(
  "module", None, "Directory of the reusable SavedModel.", required=True
)
_EPOCHS = flags.DEFINE_integer("epochs", 8, "How often to go over the digits.")
_LEARNING_RATE = flags.DEFINE_float(
  "learning_rate", 3e-3, "Adam's step size at first; it falls to 0."
)
_BATCH_SIZE = 32


def image_size(path):
  """Height and width, as the serving signature has them."""
  serve = tf.saved_model.load(path).signatures["serving_default"]
  return serve.structured_input_signature[1]["images"].shape[1:3]


def load_digits(path):
  """Digits of the size that the module at `path` expects, black on white."""
  digits = digits_data.load(*image_size(path))
  return digits._replace(
    train_images=np.rot90(1.0 - digits.train_images, axes=(1, 2)),
    test_images=np.rot90(1.0 - digits.test_images, axes=(1, 2)),
  )


def as_layer(path):
  """The module as a layer that trains, for the Keras of this TensorFlow."""
  if hasattr(tf.keras, "Variable"):  # Keras 3.
    from examples.keras3_layer import ReusableModule

    return ReusableModule(path)
  import tensorflow_hub as hub

  return hub.KerasLayer(path, trainable=True)


def main(argv):
  del argv
  digits = load_digits(_MODULE.value)
  layer = as_layer(_MODULE.value)
  shape = digits.train_images.shape[1:]
  model = tf.keras.Sequential([tf.keras.Input(shape), layer])
  # Weights that come to rest let the moving averages of batch norm, which
  # inference uses and which lag behind them, catch up.
  epoch = math.ceil(len(digits.train_images) / _BATCH_SIZE)
  step_size = tf.keras.optimizers.schedules.CosineDecay(
    _LEARNING_RATE.value, epoch * _EPOCHS.value
  )
  model.compile(
    tf.keras.optimizers.Adam(step_size),
    tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
  )

  def accuracy():
    return model.evaluate(digits.test_images, digits.test_labels, verbose=0)[1]

  before = accuracy()
  losses = model.fit(
    digits.train_images,
    digits.train_labels,
    batch_size=_BATCH_SIZE,
    epochs=_EPOCHS.value,
    verbose=0,
  ).history["loss"]
  print(f"Accuracy before: {before:.1%}")
  print(f"Loss: {losses[0]:.3f} at first, {losses[-1]:.3f} at last")
  print(f"Accuracy after: {accuracy():.1%}")


if __name__ == "__main__":
  app.run(main)
