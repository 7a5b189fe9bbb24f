# SPDX-License-Identifier: Apache-2.0
"""What a network gets to see: pixels in [0, 1] (C12), turned into its own."""

import numpy as np
import pytest

from hub_image_export.sources import preprocessing
from hub_image_export.tensorflow_api.compat import tf

# A family of Keras Applications that wants the mode.
_FAMILY_OF_MODE = {
  "tf": "mobilenet_v2",
  "torch": "densenet",
  "caffe": "vgg16",
  "0-255": "convnext",
}


def _images():
  return np.random.default_rng(0).random((2, 5, 4, 3), np.float32)


def test_every_mode_is_tested():
  assert set(_FAMILY_OF_MODE) == set(preprocessing.MODES)


@pytest.mark.parametrize("mode", preprocessing.MODES)
def test_mode_equals_keras(mode):
  keras = getattr(tf.keras.applications, _FAMILY_OF_MODE[mode])
  expected = keras.preprocess_input(_images() * 255.0)
  actual = preprocessing.resolve(mode)(tf.constant(_images()))
  assert actual.dtype == tf.float32
  np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=2e-5)


@pytest.mark.parametrize("mode", [*preprocessing.MODES, (0.5, [0.1, 0.2, 0.3])])
def test_graph_is_old_arithmetic_of_static_shape_with_a_gradient(mode):
  with tf.Graph().as_default() as graph:
    images = tf.compat.v1.placeholder(tf.float32, [None, None, None, 3])
    result = preprocessing.resolve(mode)(images)
    assert result.shape.as_list() == [None, None, None, 3]
    assert {op.type for op in graph.get_operations()} <= {
      "Placeholder",
      "Const",
      "Mul",
      "Sub",
      "RealDiv",
      "ReverseV2",
    }
    assert tf.compat.v1.gradients(result, images)[0] is not None


def test_none_is_nothing_to_do():
  assert preprocessing.resolve(None) is None


@pytest.mark.parametrize(
  "mean, std",
  [(0.5, 0.25), ([0.1, 0.2, 0.3], 0.5), ((0, 0, 0), np.array([1, 2, 3]))],
)
def test_pair_is_mean_and_standard_deviation_per_channel(mean, std):
  actual = preprocessing.resolve((mean, std))(tf.constant(_images()))
  assert actual.dtype == tf.float32
  expected = (_images() - np.asarray(mean)) / np.asarray(std)
  np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-6)


def test_function_is_taken_as_it_is():
  function = tf.square
  assert preprocessing.resolve(function) is function


@pytest.mark.parametrize(
  "preprocess, message",
  [
    ("Caffee", "'Caffee'.*tf, torch, caffe, 0-255.*mean 'caffe'"),
    ("xyz", "of tf, torch, caffe, 0-255, or a mean and a standard deviation$"),
    ((0.5,), "1 elements"),
    ((0.5, 0.5, 0.5), r"3 elements.*\(mean, std\)"),
    (([0.5, 0.5], 0.5), "mean.*one per channel"),
    ((0.5, "wide"), "standard deviation.*'wide'"),
    ((0.5, float("nan")), "standard deviation.*nan"),
    ((float("inf"), 1.0), "mean.*inf"),
    ((0.5, [1.0, 0.0, 1.0]), "zero"),
    (([123.7, 116.3, 103.5], [58.4, 57.1, 57.4]), "divide.*255"),
  ],
)
def test_bad_value_is_refused(preprocess, message):
  with pytest.raises(ValueError, match=message):
    preprocessing.resolve(preprocess)
  with pytest.raises(ValueError, match=message):
    preprocessing.describe(preprocess)


@pytest.mark.parametrize("preprocess", [3, {"mean": 0.5}, True])
def test_bad_type_is_refused(preprocess):
  with pytest.raises(TypeError, match="expected None"):
    preprocessing.resolve(preprocess)


@pytest.mark.parametrize(
  "preprocess, text",
  [
    (None, "none: RGB in [0, 1] as it comes"),
    ("tf", "tf: 2·x − 1, so [-1, 1]"),
    ("caffe", "caffe: BGR of 255·x, minus [103.939, 116.779, 123.68]"),
    ((0.5, np.array([1, 2, 3])), "(x − 0.5) / [1, 2, 3]"),
    (_images, "the function _images"),
  ],
)
def test_description(preprocess, text):
  assert preprocessing.describe(preprocess) == text
