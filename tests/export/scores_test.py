# SPDX-License-Identifier: Apache-2.0
"""Probabilities that cannot be taken off are told of (C7)."""

from __future__ import annotations

import numpy as np
import pytest

from hub_image_export import arguments
from hub_image_export.command_line import export_flags
from hub_image_export.export import scores
from hub_image_export.tensorflow_api.compat import tf
from tests.conformance.warnings_of import warnings_of
from tests.support import keras_sources, models

keras, layers = keras_sources.keras, keras_sources.layers
_RANDOM = np.random.RandomState(0)


def _weights(*shape):
  return tf.Variable(_RANDOM.normal(0, 4, shape).astype(np.float32))


HEADS = [_weights(3, 4), _weights(3, 4)]
OF_GROUPS = tf.constant([[1.0, 0], [1, 0], [0, 1], [0, 1]])
DENSE = _weights(4, 4)


def _logits(x, i=0):
  return x @ HEADS[i]


def _softmax(x, i=0):
  return tf.nn.softmax(_logits(x, i))


def _sigmoid(x, i=0):
  return tf.sigmoid(_logits(x, i))


def _by_hand(x):
  powers = tf.exp(_logits(x))
  return powers / tf.reduce_sum(powers, 1, keepdims=True)


# What is said of the scores, and of where they come from.
TOLD = {
  "background_cut_off": (lambda x: _softmax(x)[:, 1:], "[0, 1]", "softmax"),
  "ensemble": (
    lambda x: (_softmax(x) + _softmax(x, 1)) / 2,
    "[0, 1] and add up to 1",
    "and 1 more",
  ),
  "mean": (
    lambda x: tf.reduce_mean(tf.stack([_sigmoid(x), _sigmoid(x, 1)]), 0),
    "[0, 1]",
    "sigmoid",
  ),
  "product": (lambda x: _softmax(x) * _sigmoid(x), "[0, 1]", "and 1 more"),
  "hierarchy": (lambda x: _softmax(x) @ OF_GROUPS, "add up to 1", "softmax"),
  "clip": (
    lambda x: tf.clip_by_value(_softmax(x), 1e-7, 1 - 1e-7),
    "[0, 1] and add up to 1",
    "softmax",
  ),
  "percent": (lambda x: 100 * _softmax(x), "add up to 100", "softmax"),
  "percent_of_sigmoids": (lambda x: 100 * _sigmoid(x), "[0, ", "sigmoid"),
  "two_softmaxes": (
    lambda x: tf.concat([_softmax(x), _softmax(x, 1)], 1),
    "[0, 1] and add up to 2",
    "softmax",
  ),
  "by_hand": (_by_hand, "[0, 1] and add up to 1", "lie in"),
  "hard_sigmoid": (
    lambda x: tf.nn.relu6(_logits(x) + 3) / 6,
    "[0, 1]",
    "lie in",
  ),
  "branch": (
    lambda x: tf.cond(
      tf.reduce_sum(x) > 0,
      lambda: _softmax(x),
      lambda: x[:, :1] + 0 * _logits(x),
    ),
    "[0, 1]",
    "lie in",
  ),
}
SILENT = {
  "dense": _logits,
  "ensemble_of_logits": lambda x: (_logits(x) + _logits(x, 1)) / 2,
  "taken_off": _softmax,
  "relu": lambda x: tf.nn.relu(_logits(x)),
  "log_softmax": lambda x: tf.nn.log_softmax(_logits(x)),
  "log": lambda x: tf.math.log(_softmax(x)),
  "dense_on_sigmoids": lambda x: _sigmoid(x) @ DENSE,
  "gate": lambda x: _logits(x) * _sigmoid(x, 1),
}


def _told(caplog, head):
  build = models.by_name("softmax").build
  messages = warnings_of(
    caplog, lambda: build(lambda images: head(tf.reduce_mean(images, [1, 2])))
  )
  return [message for message in messages if "C7" in message]


@pytest.mark.parametrize("case", TOLD)
def test_probabilities_are_told_of(case, caplog):
  head, observed, source = TOLD[case]
  (message,) = _told(caplog, head)
  assert "16 images" in message
  assert observed in message
  assert source in message
  assert "return what goes into" in message


@pytest.mark.parametrize("case", SILENT)
def test_linear_scores_are_not(case, caplog):
  assert not _told(caplog, SILENT[case])


def test_a_dense_layer_is_not_run(monkeypatch):
  monkeypatch.setattr(scores, "batches", None)
  models.by_name("softmax").build(keras_sources.classifier_with_features().fn)


def test_the_images_are_of_many_kinds():
  images = np.concatenate(list(scores.batches(20, 33)))
  assert images.shape == (16, 20, 33, 3)
  assert images.min() == 0
  assert images.max() == 1
  assert len({image.tobytes() for image in images}) == 16


def _classifier(*head):
  return keras.Sequential(
    [
      layers.InputLayer(keras_sources.SHAPE),
      layers.Conv2D(5, 3, activation="relu", name="map"),
      *head,
    ]
  )


POOL = layers.GlobalAveragePooling2D
CLASSIFIERS = {
  "avg_pool": lambda: _classifier(
    POOL(name="avg_pool"),
    layers.Dropout(0.2),
    layers.Dense(4, activation="softmax"),
  ),
  "hidden": lambda: _classifier(
    POOL(),
    layers.Dense(7, activation="relu", name="hidden"),
    layers.Dense(4),
    layers.BatchNormalization(),
    layers.Activation("softmax"),
  ),
  "map": lambda: _classifier(
    layers.Conv2D(1, 1, activation="sigmoid"), layers.GlobalMaxPooling2D()
  ),
}


@pytest.mark.parametrize("layer", CLASSIFIERS)
def test_a_classifier_as_a_feature_vector_is_told_of(layer, caplog):
  model = CLASSIFIERS[layer]()
  build = models.by_name("sequential").build
  (message,) = warnings_of(caplog, lambda: build(model))
  assert "make_classification_module" in message
  assert f"feature_layer={layer!r}" in message
  with arguments.written_as(export_flags.write):
    (message,) = warnings_of(caplog, lambda: build(model))
  assert "--task=classification" in message
  assert f"--feature_layer={layer}" in message
  assert not warnings_of(caplog, lambda: build(model, feature_layer=layer))


def test_sources_without_layers_are_told_what_to_return(caplog):
  """As functions and SavedModels are, which have no layers to name."""
  build = models.by_name("sequential").build
  fn = lambda images: _softmax(tf.reduce_mean(images, [1, 2]))  # noqa: E731
  (message,) = warnings_of(caplog, lambda: build(fn))
  assert "make_classification_module" in message
  assert "return what the classifier gets" in message
  assert "feature_layer" not in message
