# SPDX-License-Identifier: Apache-2.0
"""Takes one gradient of each SavedModel of a folder, in TensorFlow 1.15.

  python3.7 tests/checker/train_once.py DIRECTORY

writes what failed to `DIRECTORY/NAME.error`. (No newer syntax.)
"""

import glob
import os
import sys
import traceback

import tensorflow as tf

tf.compat.v1.enable_v2_behavior()


def train(path):
  loaded = tf.saved_model.load_v2(path)
  with tf.GradientTape() as tape:
    total = tf.reduce_sum(loaded(tf.ones([2, 8, 8, 3]), training=True))
  gradients = tape.gradient(total, loaded.trainable_variables)
  assert all(g is not None for g in gradients), gradients


if __name__ == "__main__":
  for file in glob.glob(os.path.join(sys.argv[1], "*", "saved_model.pb")):
    folder = os.path.dirname(file)
    try:
      train(folder)
    except Exception:  # Told by the test.
      with open(folder + ".error", "w") as error:
        error.write(traceback.format_exc())
