# SPDX-License-Identifier: Apache-2.0
"""Seeds are no part of a module, wherever their draws are (F2, F4)."""

from __future__ import annotations

import numpy as np
import pytest

import hub_image_export as hie
from hub_image_export.tensorflow_api.compat import tf
from tests.support.consumer import Consumer, random_images
from tests.support.keras_sources import SHAPE, keras, layers


def _in_branch(draw, x):
  return tf.cond(tf.reduce_mean(x) > -9.0, lambda: draw(x), lambda: x)


def _in_loop(draw, x):
  return tf.while_loop(
    lambda i, x: i < 3, lambda i, x: (i + 1, draw(x)), (0, x)
  )[1]


def _in_map(draw, x):
  return tf.reduce_sum(tf.map_fn(draw, tf.stack([x, x])), 0)


PLACES = {
  "branch": _in_branch,
  "loop": _in_loop,
  "map": _in_map,
  "branch and outside": lambda draw, x: draw(_in_branch(draw, x)),
  "loop in branch": lambda draw, x: _in_branch(lambda y: _in_loop(draw, y), x),
}


class Placed(layers.Layer):
  def __init__(self, place):
    super().__init__()
    self.place, self.dropout = place, layers.Dropout(0.5)

  def call(self, x, training=False):
    def draw(y):
      return self.dropout(y, training=bool(training))

    return self.place(draw, x)

  def compute_output_shape(self, shape):
    return shape


def _dropout(place):
  inputs = keras.Input(SHAPE)
  x = Placed(place)(layers.Conv2D(4, 3)(inputs))
  return keras.Model(inputs, layers.GlobalAveragePooling2D()(x))


def _generator(place):
  generator = tf.random.Generator.from_seed(1)
  weights = tf.Variable(tf.ones([3, 4]))

  def fn(images, is_training):
    x = tf.reduce_mean(images, [1, 2])
    if is_training:
      x = place(lambda y: y + generator.normal([3]), x)
    return x @ weights

  return fn


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("make", [_dropout, _generator])
def test_seeds_are_no_part_of_a_module(make, name):
  spec = hie.make_feature_vector_module(make(PLACES[name]), *SHAPE[:2])
  _, training = spec.function.variants
  assert not training.updates
  assert all(v.dtype.is_floating for v in spec.function.variables)
  consumer = Consumer(spec, frozenset({"train"}), trainable=True)
  features = consumer.outputs["default"]["default"]
  images = random_images(4, *SHAPE[:2])
  first, second = (consumer.run(features, images) for _ in range(2))
  assert np.isfinite(first).all()
  assert not np.allclose(first, second)


def test_a_counter_that_nothing_draws_by_is_state():
  counter = tf.Variable(0, trainable=False, name="counter")

  def fn(images, is_training):
    if is_training:
      counter.assign_add(1)
    return tf.reduce_mean(images, [1, 2])

  spec = hie.make_feature_vector_module(fn, *SHAPE[:2])
  consumer = Consumer(spec, frozenset({"train"}), trainable=True)
  consumer.run(consumer.updates, random_images(1, *SHAPE[:2]))
  assert consumer.values() == {"counter": 1}
