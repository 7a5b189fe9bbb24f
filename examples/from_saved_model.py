# SPDX-License-Identifier: Apache-2.0
"""Exports a TF2 SavedModel as a TF1 Hub module.

  python -m examples.from_saved_model --export_path=path/to/module

The SavedModel of this example follows the "Reusable SavedModel API":
`obj(images, training=...)`. With `--saved_model=DIR`, it is one of your own,
for images of 32 x 32 pixels.
"""

from __future__ import annotations

import tempfile

import tensorflow as tf
from absl import app, flags

import hub_image_export as hie
from examples import digits_network

_EXPORT_PATH = flags.DEFINE_string(
  "export_path", None, "Directory of the module to be made.", required=True
)
_SAVED_MODEL = flags.DEFINE_string(
  "saved_model", None, "Directory of a SavedModel; by default one is made."
)
_SIZE = digits_network.IMAGE_SIZE


class Reusable(tf.Module):
  """Gives a Keras model the interface of the Reusable SavedModel API."""

  def __init__(self, model):
    super().__init__()
    self.model = model
    self.state = model.variables  # With the dropout's seed in Keras 3.

  @tf.function
  def __call__(self, images, training=False):
    return self.model(images, training=training)


def save_digits_network(path: str) -> None:
  reusable = Reusable(digits_network.load_trained())
  images = tf.TensorSpec([None, _SIZE, _SIZE, 3], tf.float32)
  for training in (False, True):
    reusable.__call__.get_concrete_function(images, training=training)
  tf.saved_model.save(reusable, path)


def main(argv):
  del argv
  with tempfile.TemporaryDirectory() as directory:
    path = _SAVED_MODEL.value
    if path is None:
      path = directory
      save_digits_network(path)
    spec = hie.make_classification_module(path, _SIZE, _SIZE)
    spec.export(_EXPORT_PATH.value)
  print(f"Module exported to {_EXPORT_PATH.value}")


if __name__ == "__main__":
  app.run(main)
