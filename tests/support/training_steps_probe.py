# SPDX-License-Identifier: Apache-2.0
"""Trains modules for a few steps, in whatever TensorFlow runs it.

As a program it is also run by the Python 3.7 of TensorFlow 1.15 (no newer
syntax, and nothing of the package):

  python3.7 tests/support/training_steps_probe.py DIRECTORY

takes each module `DIRECTORY/NAME` and the batches in `DIRECTORY/images.npy`,
and writes `DIRECTORY/NAME.npz`: by step the features, gradients by variable,
new values, and the sum of the penalties; or `DIRECTORY/NAME.error`.
"""

import glob
import os
import sys

import numpy as np

try:
  import tensorflow.compat.v1 as tf
  import tensorflow_hub as hub
except (AttributeError, ImportError):  # TensorFlow 2.16 and later.
  from hub_image_export.tensorflow_api.compat import hub, tf

  tf = tf.compat.v1


def objective(features):
  """As in `live`: each number counts differently."""
  weights = np.linspace(0.5, 1.5, features.shape[-1]).astype(np.float32)
  return tf.reduce_sum(features * weights)


def steps(path, batches):
  with tf.Graph().as_default():
    module = hub.Module(path, trainable=True, tags={"train"})
    height, width = hub.get_expected_image_size(module)
    images = tf.placeholder(tf.float32, [None, height, width, 3])
    features = module(images)
    trained = {v.name: v for v in tf.trainable_variables()}
    names = {v.name: k for k, v in module.variable_map.items()}
    gradients = tf.gradients(objective(features), list(trained.values()))
    wanted = {
      names[k]: tf.convert_to_tensor(g)
      for k, g in zip(trained, gradients)
      if g is not None
    }
    penalties = tf.get_collection("regularization_losses")
    updates = tf.get_collection("update_ops")
    found = {}
    with tf.Session() as session:
      session.run(tf.global_variables_initializer())
      for i, batch in enumerate(batches):
        found["%d|penalties" % i] = sum(session.run(penalties))
        outputs, slopes, _ = session.run(
          [features, wanted, updates], {images: batch}
        )
        found["%d|outputs" % i] = outputs
        for name, value in slopes.items():
          found["%d|gradient|%s" % (i, name)] = value
        for name, value in session.run(module.variable_map).items():
          found["%d|value|%s" % (i, name)] = value
  return found


def main(directory):
  batches = np.load(os.path.join(directory, "images.npy"))
  for spec in sorted(glob.glob(directory + "/*/tfhub_module.pb")):
    path = os.path.dirname(spec)
    try:
      np.savez(path + ".npz", **steps(path, batches))
    except Exception as error:  # Any: the test shows it.
      with open(path + ".error", "w") as output:
        output.write("%s: %s" % (type(error).__name__, error))


if __name__ == "__main__":
  main(sys.argv[1])
