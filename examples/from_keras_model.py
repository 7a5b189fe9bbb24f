# SPDX-License-Identifier: Apache-2.0
"""Exports the features of a Keras model, without its classifier.

python -m examples.from_keras_model --export_path=path/to/module
"""

from __future__ import annotations

import tensorflow as tf
from absl import app, flags

import hub_image_export as hie
from examples import digits_network

_EXPORT_PATH = flags.DEFINE_string(
  "export_path", None, "Directory of the module to be made.", required=True
)


def main(argv):
  del argv
  classifier = digits_network.load_trained()
  features = tf.keras.Model(
    classifier.input,
    classifier.get_layer(digits_network.FEATURE_LAYER).output,
  )
  spec = hie.make_feature_vector_module(
    features,
    height=digits_network.IMAGE_SIZE,
    width=digits_network.IMAGE_SIZE,
    arch_name="DigitsNet",
    endpoints=["conv3_relu"],
  )
  spec.export(_EXPORT_PATH.value)
  print(f"Module exported to {_EXPORT_PATH.value}")


if __name__ == "__main__":
  app.run(main)
