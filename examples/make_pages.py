# SPDX-License-Identifier: Apache-2.0
"""Writes the module pages in examples/pages: two for each kind of module.

  python -m examples.make_pages

What a publisher does for a module: export it, pack it, write its page. The
modules are DigitsNet, which tells handwritten digits apart; one is shown to
them. Pictures need `pip install "hub_image_export[publish]"`.
"""

from __future__ import annotations

import pathlib
import sys
import tempfile

import numpy as np
import tensorflow as tf

import hub_image_export as hie
from examples import digits_data, digits_network, from_tf1_function

PAGES = pathlib.Path(__file__).with_name("pages")
DIGITS = [f"the digit {i}" for i in range(10)]


def make_modules():
  """The specs of the modules by the names of their pages."""
  with np.load(digits_network.WEIGHTS) as weights:
    network = from_tf1_function.make_network(dict(weights))

  def features(images, is_training):
    outputs, endpoints = network(images, is_training)
    return outputs["image_feature_vector"], endpoints

  def probabilities(images, is_training):
    outputs, endpoints = network(images, is_training)
    return tf.nn.softmax(outputs["image_classification"]), endpoints

  options = {
    "height": digits_network.IMAGE_SIZE,
    "width": digits_network.IMAGE_SIZE,
    "arch_name": "DigitsNet",
  }
  return {
    "feature_vector": hie.make_feature_vector_module(features, **options),
    "classification": hie.make_classification_module(
      probabilities, labels=DIGITS, **options
    ),
    "several_tasks": hie.make_image_module(
      network, default_task="image_classification", labels=DIGITS, **options
    ),
  }


def write_photo(path):
  """A digit of a size that cameras do not have, either."""
  image = digits_data.load(240, 240).test_images[0]
  path.write_bytes(tf.io.encode_png(np.uint8(image * 255)).numpy())


def publish(name, spec, directory, pages):
  """Exports a module into `directory`; writes its pages, in both forms."""
  module = directory / name
  spec.export(module)
  hie.write_archive(module, directory / f"{name}.tar.gz")
  photo = directory / "photo.png"
  write_photo(photo)
  for page_format in ("tfhub", "huggingface"):
    hie.write_module_page(
      module,
      pages / f"{name}.{page_format}.md",
      format=page_format,
      example=photo,
      overwrite=True,
      handle=f"example/digits-{name}/1",
      asset_path=f"https://example.com/digits-{name}-1.tar.gz"
      if page_format == "tfhub"
      else None,
      description="DigitsNet, a small network that reads handwritten digits.",
      license="apache-2.0",
      network="cnn",
      language="en",
      # What its classifier is meant for, where the network does not say.
      scores="softmax" if name == "several_tasks" else None,
    )


def main(argv):
  if argv[1:]:
    return f"Got the arguments {argv[1:]}; expected none"
  with tempfile.TemporaryDirectory() as directory:
    for name, spec in make_modules().items():
      publish(name, spec, pathlib.Path(directory), PAGES)
  return None


if __name__ == "__main__":
  sys.exit(main(sys.argv))
