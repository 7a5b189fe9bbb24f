# SPDX-License-Identifier: Apache-2.0
"""Draws that decide nothing are not held against a network."""

from __future__ import annotations

import numpy as np
import pytest

import hub_image_export as hie
from hub_image_export.graph.idle_draws import drop_idle_draws
from hub_image_export.tensorflow_api.compat import tf
from tests.support import fresh_process, models
from tests.support.consumer import random_images

v1 = tf.compat.v1
SIZE = models.by_name("sequential").height_and_width
IMAGES = random_images(2, *SIZE)


def _mean(images):
  return tf.reduce_mean(images, [1, 2])


def _keeping(keep):
  """As TF1's first tutorial does it: `keep` is 1 unless training feeds it."""
  return lambda x: v1.nn.dropout(x, keep_prob=keep())


def _by_floor(x):
  """Dropout of the first versions of TensorFlow."""
  keep = v1.placeholder_with_default(1.0, [])
  return x / keep * tf.floor(keep + tf.random.uniform(tf.shape(x)))


def _below(x):
  kept = tf.random.uniform(tf.shape(x)) < v1.placeholder_with_default(1.0, [])
  return tf.where(kept, x, tf.zeros_like(x))


def _stretched(x):
  """Of numbers from 2 to 3, none is below 2."""
  drawn = tf.random.uniform(tf.shape(x), 2.0, tf.constant(3.0))
  return tf.where(drawn >= 2.0, x, -x)


IDLE = {
  "keep_prob": _keeping(lambda: v1.placeholder_with_default(1.0, [])),
  "constant": _keeping(lambda: tf.constant(1.0)),
  "chosen": _keeping(lambda: tf.where(tf.constant(False), 0.5, 1.0)),
  "each_row": lambda x: v1.nn.dropout(
    x,
    rate=v1.placeholder_with_default(0.0, []),
    noise_shape=[tf.shape(x)[0], 1],
  ),
  "in_a_function": lambda x: tf.function(
    lambda y: tf.nn.dropout(y, tf.constant(0.0))
  )(x),
  "floor": _by_floor,
  "below": _below,
  "stretched": _stretched,
}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
  """What the modules give in another process."""
  directory = tmp_path_factory.mktemp("idle")
  jobs = {}
  for name, drop in IDLE.items():
    path = str(directory / name)
    spec = models.by_name("sequential").build(
      lambda images, drop=drop: 2.0 * drop(_mean(images))
    )
    assert spec.export(path).verified
    jobs[name] = {"path": path, "size": SIZE}
  return fresh_process.run("outputs", jobs, str(directory))


@pytest.mark.parametrize("name", IDLE)
def test_what_drops_nothing_is_gone(name, outputs):
  expected = 2.0 * IMAGES.mean((1, 2))
  found = outputs[name]["default|default"]
  np.testing.assert_allclose(found, expected, rtol=1e-5)


ACTIVE = {
  "keep_prob": _keeping(lambda: v1.placeholder_with_default(0.9, [])),
  "by_content": lambda x: tf.nn.dropout(x, tf.reduce_mean(x)),
  "noise": lambda x: x + tf.random.uniform(tf.shape(x)),
  "two_draws": lambda x: tf.where(
    tf.random.uniform([3]) >= tf.random.uniform([3]), x, -x
  ),
  "of_normal_numbers": lambda x: tf.where(tf.random.normal([3]) >= 0.0, x, -x),
  "some_of_several": lambda x: tf.where(
    tf.random.uniform([3]) >= [0.0, 0.5, 0.0], x, -x
  ),
}


@pytest.mark.parametrize("name", ACTIVE)
def test_other_draws_are_refused(name):
  with pytest.raises(ValueError, match="draws random numbers"):
    models.by_name("sequential").build(
      lambda images: 2.0 * ACTIVE[name](_mean(images))
    )


def test_training_drops_what_the_function_drops(tmp_path):
  """One dropout that training switches on, and one that it does not."""

  def fn(images, is_training):
    rate = tf.where(tf.constant(is_training), 0.5, 0.0)
    x = tf.nn.dropout(_mean(images), rate)
    return 2.0 * _by_floor(x) @ tf.eye(3)

  spec = hie.make_feature_vector_module(fn, *SIZE)
  assert spec.export(tmp_path / "module").verified
  drawn = [
    sum(node.op == "RandomUniform" for node in variant.graph_def.node)
    for variant in spec.function.variants
  ]
  assert drawn == [0, 1]


def test_graphs_without_draws_stay():
  with tf.Graph().as_default() as graph:
    x = v1.placeholder(tf.float32, [None, 3])
    tf.floor(x + 1.0)
  graph_def = graph.as_graph_def(add_shapes=True)
  before = graph_def.SerializeToString(deterministic=True)
  drop_idle_draws(graph_def)
  assert graph_def.SerializeToString(deterministic=True) == before
