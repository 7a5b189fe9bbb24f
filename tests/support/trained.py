# SPDX-License-Identifier: Apache-2.0
"""DigitsNet with weights that were trained, and without, for the tests."""

from __future__ import annotations

import functools

import numpy as np

import hub_image_export as hie
from examples import digits_data, digits_network
from hub_image_export.tensorflow_api.compat import tf
from tests.support.consumer import Consumer

SIZE = digits_network.IMAGE_SIZE
v1 = tf.compat.v1


@functools.lru_cache(None)
def digits() -> digits_data.Digits:
  return digits_data.load(SIZE, SIZE)


def trained():
  return digits_network.load_trained()


def untrained_spec():
  """A module with random weights, which classifies one digit in ten."""
  return make_spec(digits_network.build())


def make_spec(fn, **options):
  return hie.make_classification_module(fn, SIZE, SIZE, **options)


def values_of(model) -> dict[str, np.ndarray]:
  variables = digits_network.named_weights(model)
  return {name: v.numpy() for name, v in variables.items()}


def save_tf1(prefix: str, values: dict[str, np.ndarray], **saver) -> str:
  """Saves values by a session and `Saver`; returns the prefix with the step."""
  with tf.Graph().as_default(), v1.Session() as session:
    made = [
      v1.get_variable(name, initializer=value, use_resource=False)
      for name, value in values.items()
    ]
    session.run(v1.variables_initializer(made))
    return v1.train.Saver(made, **saver).save(session, prefix)


def probabilities(path: str) -> np.ndarray:
  """What a consumer of the module gets for the test images."""
  consumer = Consumer(path, feeds={"batch_norm_momentum": 0.9})
  scores = consumer.outputs["default"]["default"]
  with consumer.graph.as_default():
    return consumer.run(tf.nn.softmax(scores), digits().test_images)


def assert_is_trained(path: str) -> None:
  """Row by row the outputs of the trained network, and so its accuracy."""
  expected = trained().predict(digits().test_images, verbose=0)
  found = probabilities(path)
  np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
  accuracy = np.mean(np.argmax(found, -1) == digits().test_labels)
  assert accuracy == np.mean(np.argmax(expected, -1) == digits().test_labels)
  assert accuracy > 0.95
