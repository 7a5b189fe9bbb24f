# SPDX-License-Identifier: Apache-2.0
"""C5: dropout works inside of the training variant, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from hub_image_export.tensorflow_api.compat import tf
from tests.support import keras_sources, models
from tests.support.consumer import Consumer

keras, layers = keras_sources.keras, keras_sources.layers
RANDOM = [m for m in models.ALL if m.is_random]


def test_inference_is_deterministic(exported):
  consumer = exported.consumer()
  first, second = (
    consumer.run(consumer.outputs["default"], exported.images())
    for _ in range(2)
  )
  for key, value in first.items():
    np.testing.assert_array_equal(value, second[key])


@pytest.mark.parametrize("model", models.TRAINING, ids=str)
def test_training_is_random_where_the_source_is(model, exports):
  exported = exports(model)
  consumer = exported.consumer({"train"})
  output = consumer.outputs["default"]["default"]
  images = exported.images(4)
  steps = [consumer.run(output, images) for _ in range(3)]
  if model.is_random:
    assert not np.array_equal(steps[0], steps[1])
    assert not np.array_equal(steps[1], steps[2])
  else:
    np.testing.assert_array_equal(steps[0], steps[1])


@pytest.mark.parametrize("model", RANDOM, ids=str)
def test_sessions_draw_numbers_of_their_own(model, exports):
  exported = exports(model)
  outputs = []
  for _ in range(2):
    consumer = Consumer(exported.path, frozenset({"train"}))
    default = consumer.outputs["default"]["default"]
    outputs.append(consumer.run(default, exported.images(4)))
  assert not np.array_equal(*outputs)


@pytest.mark.parametrize("model", RANDOM, ids=str)
def test_random_state_is_no_part_of_the_module(model, exports):
  names = exports(model).consumer().variables
  assert not [name for name in names if "seed" in name]


def _dropping(*after, name="dropped"):
  return keras.Sequential(
    [
      layers.InputLayer(keras_sources.SHAPE),
      layers.GlobalAveragePooling2D(),
      layers.Dense(4, name="dense"),
      layers.Dropout(0.5, name=name),
      *after,
    ]
  )


def _tf1_dropping(images, is_training):
  x = tf.reduce_mean(images, [1, 2])
  if is_training:
    with tf.name_scope("dropped"):
      x = tf.nn.dropout(x, 0.5)
  return x


@pytest.mark.parametrize(
  "fn",
  [
    lambda: _dropping(),
    lambda: _dropping(layers.Activation("linear")),
    lambda: _tf1_dropping,
    lambda: _dropping(layers.Reshape((2, 2)), layers.Flatten()),
  ],
  ids=["layer", "behind_linear", "function", "behind_reshape"],
)
def test_dropout_on_the_output_is_refused(fn):
  model = models.by_name("tf_module")
  with pytest.raises(ValueError, match=r"dropped.*C5"):
    model.build(fn())


def test_an_endpoint_may_be_behind_dropout():
  def fn(images, is_training):
    x = tf.reduce_mean(images, [1, 2])
    dropped = tf.nn.dropout(x, 0.5) if is_training else x
    return x, {"PreLogits": dropped}

  spec = models.by_name("tf1").build(fn)
  assert "Tiny/PreLogits" in spec.get_output_info_dict("default")


def test_randomness_in_inference_is_refused():
  def fn(images):
    x = tf.reduce_mean(images, [1, 2])
    return x + tf.random.normal(tf.shape(x))

  with pytest.raises(ValueError, match="draws random numbers"):
    models.by_name("tf1").build(fn)
