# SPDX-License-Identifier: Apache-2.0
"""Loads, runs and trains modules in one TensorFlow, and says how they do.

  python tools/try_modules.py path/to/module [path/to/another ...]

Each directory has, beside the module, `images.npy` and `features.npy`: what the
source gives for these images. Runs unchanged on TF 1.15 with tensorflow_hub
0.12 and Python 3.7. Prints a JSON object: by path, by variant, "ok" or what
went wrong.
"""

import json
import os
import sys

import numpy as np
import tensorflow.compat.v1 as tf

try:
  from hub_image_export import hub
except (ImportError, SyntaxError):
  import tensorflow_hub as hub

_RELATIVE_TOLERANCE = 1e-4


def try_inference(path, images, features):
  """Compares the module's output with the source's."""
  with tf.Graph().as_default(), tf.Session() as session:
    output = hub.Module(path)(images)
    session.run(tf.global_variables_initializer())
    found = session.run(output)
  difference = np.max(np.abs(found - features)) / np.max(np.abs(features))
  if not difference <= _RELATIVE_TOLERANCE:
    return f"differs by {difference:.1e}"
  return "ok"


def try_training(path, images):
  """Takes all gradients, and sees whether the moving averages move."""
  with tf.Graph().as_default(), tf.Session() as session:
    module = hub.Module(path, trainable=True, tags={"train"})
    loss = tf.reduce_mean(tf.square(module(images)))
    variables = tf.trainable_variables()
    gradients = tf.gradients(loss, variables)
    missing = [v.name for v, g in zip(variables, gradients) if g is None]
    if missing:
      return f"no gradient for {len(missing)} of {len(variables)}"
    moving = [v for v in tf.global_variables() if "moving_" in v.name]
    session.run(tf.global_variables_initializer())
    before = session.run(moving)
    values, _ = session.run([gradients, tf.get_collection("update_ops")])
    after = session.run(moving)
  if not all(np.all(np.isfinite(value)) for value in values):
    return "gradients are not finite"
  still = sum(np.array_equal(a, b) for a, b in zip(before, after))
  if still:
    return f"{still} of {len(moving)} moving averages stay"
  return "ok"


def try_module(path):
  """The result for each variant that the module has."""
  images = np.load(os.path.join(path, os.pardir, "images.npy"))
  features = np.load(os.path.join(path, os.pardir, "features.npy"))
  attempts = {"inference": lambda: try_inference(path, images, features)}
  if {"train"} in map(set, hub.load_module_spec(path).get_tags()):
    attempts["train"] = lambda: try_training(path, images)
  return {variant: _result(attempt) for variant, attempt in attempts.items()}


def _result(attempt):
  try:
    return attempt()
  except Exception as error:  # The table says what every module did.
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:120]}"


def main(argv):
  results = {path: try_module(path) for path in argv[1:]}
  json.dump(results, sys.stdout)
  return 0


if __name__ == "__main__":
  sys.exit(main(sys.argv))
