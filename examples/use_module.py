# SPDX-License-Identifier: Apache-2.0
"""Uses image modules in the way of "Common Signatures for Images".

  python -m examples.use_module path/to/module [path/to/another ...]

It prints how well each module tells handwritten digits apart. It knows
nothing of how the modules were made, and runs unchanged on TF 1.15 with plain
tensorflow_hub 0.12.
"""

import sys

import numpy as np
import tensorflow.compat.v1 as tf
from sklearn import linear_model

from examples import digits_data

try:
  from hub_image_export import hub
except ImportError:
  import tensorflow_hub as hub


def call(path, images, signature=None):
  """A module's output for numpy `images`: `[batch_size, n]`.

  Args:
    path: Directory of the module.
    images: `[batch_size, height, width, 3]` in [0, 1], of the expected size.
    signature: Name of a task's signature; by default the primary task's.
  """
  with tf.Graph().as_default(), tf.Session() as session:
    module = hub.Module(path)
    if signature is None:
      output = module(images)
    else:
      outputs = module(dict(images=images), signature=signature, as_dict=True)
      output = outputs["default"]
    session.run(tf.global_variables_initializer())
    return session.run(output)


def accuracies(path):
  """The share of the test images classified correctly, by signature."""
  module_spec = hub.load_module_spec(path)
  height, width = hub.get_expected_image_size(module_spec)
  digits = digits_data.load(height, width)
  signatures = module_spec.get_signature_names()
  results = {}
  if "image_classification" in signatures:
    logits = call(path, digits.test_images, "image_classification")
    classes = np.argmax(logits, axis=-1)
    results["image_classification"] = np.mean(classes == digits.test_labels)
  if "image_feature_vector" in signatures:
    # A feature vector serves new classifiers: here, a linear one.
    train, test = (
      call(path, images, "image_feature_vector")
      for images in (digits.train_images, digits.test_images)
    )
    classifier = linear_model.LogisticRegression(max_iter=2000)
    classifier.fit(train, digits.train_labels)
    results["image_feature_vector"] = classifier.score(test, digits.test_labels)
  return results


def main(argv):
  if len(argv) < 2:
    return "Expected the path of a module, got none."
  for path in argv[1:]:
    height, width = hub.get_expected_image_size(hub.load_module_spec(path))
    outputs = call(path, np.zeros([2, height, width, 3], np.float32))
    print(f"{path}: m(images) of 2 images is {outputs.shape}")
    for signature, accuracy in accuracies(path).items():
      print(f"{path}: accuracy by {signature}: {accuracy:.1%}")
  return 0


if __name__ == "__main__":
  sys.exit(main(sys.argv))
