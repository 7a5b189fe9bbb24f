# SPDX-License-Identifier: Apache-2.0
"""Exports a function that uses a Keras model in its own way.

  python -m examples.from_closure --export_path=path/to/module

The function is a closure over the model: it takes images of another size than
the model does, and says by itself what the outputs are called.
"""

from __future__ import annotations

import tensorflow as tf
from absl import app, flags

import hub_image_export as hie
from examples import digits_network

_EXPORT_PATH = flags.DEFINE_string(
  "export_path", None, "Directory of the module to be made.", required=True
)
_SIZE = 2 * digits_network.IMAGE_SIZE


def main(argv):
  del argv
  classifier = digits_network.load_trained()
  names = (digits_network.FEATURE_LAYER, "conv3_relu")
  network = tf.keras.Model(
    classifier.input, [classifier.get_layer(name).output for name in names]
  )

  def extract_features(images, training=False):
    halved = tf.nn.avg_pool2d(images, ksize=2, strides=2, padding="VALID")
    features, feature_map = network(halved, training=training)
    return features, {"top": feature_map}

  spec = hie.make_feature_vector_module(
    extract_features, height=_SIZE, width=_SIZE, arch_name="DigitsNet"
  )
  spec.export(_EXPORT_PATH.value)
  print(f"Module exported to {_EXPORT_PATH.value}")


if __name__ == "__main__":
  app.run(main)
