# SPDX-License-Identifier: Apache-2.0
"""Keras Applications, built: their features, sizes and weights."""

import dataclasses

import numpy as np
import pytest

from hub_image_export import errors
from hub_image_export.sources import application_models, applications
from hub_image_export.sources.application_models import build
from hub_image_export.tensorflow_api.compat import tf

# Every kind of head that Keras has, at the smallest size.
_HEADS = (
  "ConvNeXtTiny",
  "EfficientNetB0",
  "MobileNet",
  "MobileNetV2",
  "MobileNetV3Small",
  "RegNetX002",
  "VGG16",
)
_INSTALLED = [n for n in _HEADS if applications.is_application(n)]


def _build(name="MobileNet", **options):
  options = {"task": "feature_vector", "weights": "random", **options}
  if not options.get("variable_size"):
    options = {"height": 32, "width": 32, **options}
  return build(applications.get(name), **options)


def _images(size=32):
  return np.random.default_rng(0).random((2, size, size, 3), np.float32) * 255


def _relative_difference(a, b):
  return np.max(np.abs(a - b)) / np.max(np.abs(b))


@pytest.mark.slow
@pytest.mark.parametrize("name", _INSTALLED)
def test_feature_layer_yields_the_pooled_features(name):
  """C4, C11: what include_top=False, pooling="avg" gives, in one network."""
  classifier, layer = _build(name, task="all", num_classes=10)
  assert classifier.output_shape == (None, 10)
  features, none = _build(name)
  assert none is None
  weights = classifier.get_weights()
  features.set_weights(weights[: len(features.get_weights())])

  tap = tf.keras.Model(classifier.input, classifier.get_layer(layer).output)
  actual = tap(_images()).numpy()
  if actual.ndim == 4:
    actual = actual.mean(axis=(1, 2))
  expected = features(_images()).numpy()
  assert actual.shape == expected.shape
  assert _relative_difference(actual, expected) < 1e-5


def test_feature_layer_needs_a_head():
  model = tf.keras.Sequential([tf.keras.Input((4,)), tf.keras.layers.Dense(2)])
  with pytest.raises(ValueError, match="expected global average pooling"):
    application_models.feature_layer(model)


@pytest.mark.parametrize("task", application_models.TASKS)
def test_variable_size_leaves_height_and_width_open(task):
  """C15: fully convolutional, also with a classifier on top."""
  fixed, _ = _build(task=task)
  model, _ = _build(task=task, variable_size=True)
  assert model.input_shape == (None, None, None, 3)
  model.set_weights(fixed.get_weights())
  assert _relative_difference(model(_images()), fixed(_images())) < 1e-6
  assert model(_images(64)).shape == (2, fixed.output_shape[1])


def test_default_size_and_classes_are_the_models_own():
  application = applications.get("MobileNet")
  model, layer = build(application, task="classification", weights="random")
  assert model.input_shape == (None, 224, 224, 3)
  assert model.output_shape == (None, 1000)
  assert layer is None


@pytest.mark.parametrize(
  "name, options, message",
  [
    ("MobileNet", {"task": "features"}, "'features'.*classification"),
    ("InceptionV3", {}, "InceptionV3 .* 32x32 .*at least 75x75.*299x299"),
    (
      "VGG16",
      {"task": "classification", "variable_size": True},
      "variable_size=True, but the classifier VGG16 takes one size",
    ),
    (
      "MobileNetV2",
      {"task": "all", "weights": "imagenet", "height": 224, "width": 224}
      | {"num_classes": 10},
      "MobileNetV2 cannot be built.*1000",
    ),
  ],
)
def test_what_cannot_be_built_is_refused(name, options, message):
  with pytest.raises(ValueError, match=message):
    _build(name, **options)


def test_channels_first_is_refused():
  """C17."""
  tf.keras.backend.set_image_data_format("channels_first")
  try:
    with pytest.raises(ValueError, match="channels_first.*C17"):
      _build()
  finally:
    tf.keras.backend.set_image_data_format("channels_last")


def _stub(builder):
  """MobileNet with another builder."""
  return dataclasses.replace(applications.get("MobileNet"), builder=builder)


def test_download_that_fails_is_explained():
  def no_network(**_):
    raise Exception("URL fetch failure on https://x/y.h5: None -- unknown")

  message = "MobileNet cannot be down.*https://x/y.h5.*: expected.*--weights="
  with pytest.raises(errors.WeightsError, match=message):
    build(_stub(no_network), task="feature_vector")


def _published(weights, **options):
  """MobileNet whose "ImageNet" weights are all alike, as Keras gives them."""
  model = tf.keras.applications.MobileNet(weights=None, **options)
  if weights == "imagenet":
    assert model.input_shape[1:3] == (224, 224)
    model.set_weights([np.full_like(w, 0.5) for w in model.get_weights()])
  return model


def test_published_classifier_at_another_size():
  """Keras has them at one size only; the weights do not depend on it."""
  model, _ = build(
    _stub(_published), task="classification", height=32, width=64
  )
  assert model.input_shape == (None, 32, 64, 3)
  assert all(np.all(value == 0.5) for value in model.get_weights())


def _published_vgg(weights, **options):
  del weights
  return tf.keras.applications.VGG16(weights=None, **options)


def test_published_classifier_that_flattens_has_one_size():
  with pytest.raises(ValueError, match="are 32 and 32: expected 224 and 224"):
    build(_stub(_published_vgg), task="classification", height=32, width=32)


def test_weights_from_a_file(tmp_path):
  path = str(tmp_path / "mobilenet.weights.h5")
  saved, _ = _build()
  saved.save_weights(path)
  loaded, _ = _build(weights=path)
  for a, b in zip(saved.get_weights(), loaded.get_weights()):
    np.testing.assert_array_equal(a, b)
