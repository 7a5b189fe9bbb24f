# SPDX-License-Identifier: Apache-2.0
"""Uses a module that a web server has, as its consumers do.

  python served_probe.py RESULT WAY URL...

WAY is "module" (`hub.Module`), "load" (`hub.load`), "layer" (`hub.KerasLayer`),
"open" (`hie.open_module`) or, for reusable SavedModels, "call" (`hub.load`) and
"train" (a `hub.KerasLayer` with weights to train). The answers to the golden
image, `[[...]]` for each URL, go to the JSON file RESULT. But for "open",
nothing of the package is imported, and Python 3.7 runs it.
"""

import json
import sys

import numpy as np
import tensorflow as tf

try:
  import tensorflow_hub as hub
except ImportError:  # TensorFlow 2.16 and later with tensorflow_hub 0.15.
  from hub_image_export.tensorflow_api.compat import hub

HEIGHT, WIDTH = 12, 10


def golden_image():
  y, x, c = np.indices((HEIGHT, WIDTH, 3))
  values = (37 * x * x + 71 * y * y + 23 * x * y + 101 * c) % 256
  return np.float32(values / 255)[None]


def by_module(url):
  v1 = tf.compat.v1
  with tf.Graph().as_default(), v1.Session() as session:
    outputs = hub.Module(url)(golden_image())
    session.run(v1.global_variables_initializer())
    return session.run(outputs)


def by_load(url):
  default = hub.load(url).signatures["default"]
  return default(images=tf.constant(golden_image()))["default"].numpy()


def by_layer(url):
  layer = hub.KerasLayer(url, output_key="default")
  return layer(tf.constant(golden_image())).numpy()


def by_opening(url):
  import hub_image_export as hie

  with hie.open_module(url) as module:
    return module(golden_image())


def by_call(url):
  return hub.load(url)(tf.constant(golden_image())).numpy()


def by_training(url):
  layer = hub.KerasLayer(url, trainable=True)
  answer = layer(tf.constant(golden_image())).numpy()
  assert layer.trainable_weights
  return answer


WAYS = {
  "module": by_module,
  "load": by_load,
  "layer": by_layer,
  "open": by_opening,
  "call": by_call,
  "train": by_training,
}


def main(argv):
  if tf.__version__.startswith("1.") and argv[2] != "module":
    tf.compat.v1.enable_v2_behavior()
  answers = [WAYS[argv[2]](url).tolist() for url in argv[3:]]
  with open(argv[1], "w") as file:
    json.dump({"answers": answers, "hub": hub.__version__}, file)


if __name__ == "__main__":
  main(sys.argv)
