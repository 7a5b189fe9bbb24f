# SPDX-License-Identifier: Apache-2.0
"""Uses a module that a web server has, as its consumers do.

  python served_probe.py URL WAY RESULT

WAY is "module" (`hub.Module`), "load" (`hub.load`) or "layer"
(`hub.KerasLayer`). The answer to the golden image, `[[...]]`, goes to the JSON
file RESULT. Nothing of the package is imported, and Python 3.7 runs it.
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


def main(argv):
  way = {"module": by_module, "load": by_load, "layer": by_layer}[argv[2]]
  with open(argv[3], "w") as file:
    json.dump({"answer": way(argv[1]).tolist(), "hub": hub.__version__}, file)


if __name__ == "__main__":
  main(sys.argv)
