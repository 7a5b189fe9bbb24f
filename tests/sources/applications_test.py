# SPDX-License-Identifier: Apache-2.0
"""What is known of Keras Applications, held against the installed Keras."""

import re

import numpy as np
import pytest

from hub_image_export.sources import applications, preprocessing
from hub_image_export.tensorflow_api.compat import tf

# Builders that do not check the size against that of their published weights.
_LENIENT_FAMILIES = ("mobilenet_v3", "resnet_rs")


def _all():
  return [applications.get(name) for name in applications.names()]


def _one_per_family():
  return list({a.family: a for a in _all()}.values())


def test_every_builder_of_keras_is_known():
  builders = [n for n in dir(tf.keras.applications) if n[0].isupper()]
  assert applications.names() == sorted(builders)
  assert len(builders) >= 40


@pytest.mark.parametrize(
  "application", _one_per_family(), ids=lambda a: a.family
)
def test_preprocessing_equals_keras(application):
  """C12: the module takes [0, 1], whatever the family takes."""
  images = np.random.default_rng(0).random((2, 4, 3, 3), np.float32)
  keras = getattr(tf.keras.applications, application.family)
  expected = keras.preprocess_input(images * 255.0)
  actual = preprocessing.resolve(application.preprocess)(tf.constant(images))
  np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=2e-5)


@pytest.mark.parametrize(
  "application",
  [a for a in _all() if a.family not in _LENIENT_FAMILIES],
  ids=lambda a: a.name,
)
def test_size_is_that_of_the_published_weights(application):
  with pytest.raises(ValueError) as refused:
    application.builder(input_shape=(7, 7, 3), weights="imagenet")
  expected = re.search(r"should be \((\d+), (\d+), 3\)", str(refused.value))
  assert (application.height, application.width) == tuple(
    map(int, expected.groups())
  )


@pytest.mark.parametrize(
  "name, message",
  [
    ("mobilenetv2", "Did you mean MobileNetV2"),
    ("EfficentNetB3", "Did you mean .*EfficientNetB3"),
    ("zzz", r"one of \d+: ConvNeXtBase, .*…$"),
    ("preprocess_input", "'preprocess_input': expected that of a Keras"),
    ("", "'': expected that of a Keras Application"),
  ],
)
def test_unknown_name_is_refused_with_the_nearest(name, message):
  assert not applications.is_application(name)
  with pytest.raises(ValueError, match=message):
    applications.get(name)
