# SPDX-License-Identifier: Apache-2.0
"""Exports DigitsNet as a module that classifies digits and extracts features.

  python -m examples.digits --export_path=digits_module
  python -m examples.use_module digits_module

With `--train`, the network is trained again first (about fifteen seconds);
otherwise it has the weights that lie in `examples/data/`.
"""

from __future__ import annotations

from absl import app, flags

import hub_image_export as hie
from examples import digits_data, digits_network

_EXPORT_PATH = flags.DEFINE_string(
  "export_path", None, "Directory of the module to be made.", required=True
)
_TRAIN = flags.DEFINE_bool("train", False, "Trains the network from scratch.")


def main(argv):
  del argv
  if _TRAIN.value:
    model = digits_network.train_new()
  else:
    model = digits_network.load_trained()

  height = width = digits_network.IMAGE_SIZE
  accuracy = digits_network.accuracy(model, digits_data.load(height, width))
  print(f"Accuracy of the Keras model: {accuracy:.1%}")

  spec = hie.make_image_module(
    model,
    height,
    width,
    default_task="image_classification",
    feature_layer=digits_network.FEATURE_LAYER,
    arch_name="DigitsNet",
    endpoints=["conv1_relu", "conv2_relu"],
    labels=[str(digit) for digit in range(digits_data.NUM_CLASSES)],
  )
  spec.export(_EXPORT_PATH.value)
  print(f"Module exported to {_EXPORT_PATH.value}")


if __name__ == "__main__":
  app.run(main)
