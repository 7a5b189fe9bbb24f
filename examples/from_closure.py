"""Exports a function that uses Keras models in its own way: an ensemble.

  python -m examples.from_closure --export_path=path/to/module

The function is what a tf.keras.Model cannot express at once: it classifies
each image and four shifted copies of it, and returns the mean of their
logarithmic probabilities, which are linear scores as good as logits are.
"""

from __future__ import annotations

import tensorflow as tf
from absl import app, flags

import hub_image_export as hie
from examples import digits_network

_EXPORT_PATH = flags.DEFINE_string(
  "export_path", None, "Directory of the module to be made.", required=True
)
_SHIFTS = ((0, 0), (2, 0), (-2, 0), (0, 2), (0, -2))  # In pixels.


def main(argv):
  del argv
  model = digits_network.load_trained()

  def scores(images):
    each = [
      tf.math.log(model(tf.roll(images, shift, axis=(1, 2))) + 1e-12)
      for shift in _SHIFTS
    ]
    endpoints = {"unshifted": each[0]}
    return tf.add_n(each) / len(each), endpoints

  spec = hie.make_classification_module(
    scores,
    height=digits_network.IMAGE_SIZE,
    width=digits_network.IMAGE_SIZE,
    arch_name="DigitsEnsemble",
  )
  spec.export(_EXPORT_PATH.value)
  print(f"Module exported to {_EXPORT_PATH.value}")


if __name__ == "__main__":
  app.run(main)
