# SPDX-License-Identifier: Apache-2.0
"""Real images for the examples: the handwritten digits of scikit-learn.

1797 scans of 8 x 8 pixels, bundled with scikit-learn, so that nothing is
downloaded. This file needs numpy and scikit-learn only, and runs on
Python 3.7 too, where TF 1.15 lives.
"""

import collections

import numpy as np
from sklearn import datasets

NUM_CLASSES = 10
NUM_TEST_IMAGES = 360

Digits = collections.namedtuple(
  "Digits", ["train_images", "train_labels", "test_images", "test_labels"]
)


def load(height, width):
  """The digits as images of any size, always split in the same way.

  Args:
    height: Height of the images in pixels.
    width: Width of the images in pixels.

  Returns:
    `Digits`: float32 images `[n, height, width, 3]`, RGB in [0, 1], and int64
    labels `[n]` from 0 to 9; 1437 to train with, 360 to test with.
  """
  pixels, labels = datasets.load_digits(return_X_y=True)
  images = (pixels / 16.0).astype(np.float32).reshape([-1, 8, 8, 1])
  rows = np.arange(height) * 8 // height
  columns = np.arange(width) * 8 // width
  images = np.repeat(images[:, rows][:, :, columns], 3, axis=-1)
  order = np.random.RandomState(0).permutation(len(images))
  test, train = order[:NUM_TEST_IMAGES], order[NUM_TEST_IMAGES:]
  return Digits(images[train], labels[train], images[test], labels[test])
