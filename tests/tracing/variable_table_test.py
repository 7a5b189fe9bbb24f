# SPDX-License-Identifier: Apache-2.0
"""Names of variables, unique, and shared by variants (F3)."""

from __future__ import annotations

import types

import numpy as np
import pytest

import hub_image_export as hie
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tracing.variable_table import VariableTable, used
from hub_image_export.weights.variable import Variable
from tests.support.consumer import Consumer

v1 = tf.compat.v1


def names(*fns):
  """The module's variables for a function, and their values."""
  (fn,) = fns
  return Consumer(hie.make_feature_vector_module(fn, 4, 4)).values()


def means(images):
  return tf.reduce_mean(images, [1, 2])


def test_names_that_repeat_are_made_unique():
  first, second = (tf.Variable([float(i)], name="scale") for i in (1, 2))
  other = tf.Variable([3.0], name="scale_1")
  found = names(lambda x: means(x) * first * second * other)
  assert sorted(found) == ["scale", "scale_1", "scale_1_1"]
  assert sorted(v[0] for v in found.values()) == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
  ("name", "expected"),
  [
    ("a/b:0", "a/b"),
    ("stem block/kernel:0", "stem_block/kernel"),
    ("größe", "gr__e"),
    ("/leading", "leading"),
    ("::", "variable"),
    ("", "variable"),
  ],
)
def test_names_that_graphs_do_not_allow(name, expected):
  assert VariableTable()._unique(name) == expected


def test_a_variable_called_like_the_input_or_the_network():
  images = tf.Variable([2.0], name="images")
  network = tf.Variable([3.0], name="network")
  deeper = tf.Variable([4.0], name="network_/scale")
  found = names(lambda x: means(x) * images * network * deeper)
  assert sorted(v[0] for v in found.values()) == [2.0, 3.0, 4.0]
  assert {"network", "network_/scale"} <= set(found)


def test_a_name_that_is_the_scope_of_another():
  outer = tf.Variable([2.0], name="block")
  inner = tf.Variable([3.0], name="block/scale")
  found = names(lambda x: means(x) * outer * inner)
  assert set(found) == {"block", "block/scale"}


def test_variables_of_one_variant_are_in_both():
  """F3; the checkpoint covers them for either."""
  scale = tf.Variable([2.0], name="scale")
  noise = tf.Variable([3.0], name="noise")

  def fn(images, is_training):
    return means(images) * (scale * noise if is_training else scale)

  spec = hie.make_feature_vector_module(fn, 4, 4)
  for tags in (frozenset(), frozenset({"train"})):
    assert set(Consumer(spec, tags).variables) == {"scale", "noise"}


def test_variables_that_no_output_needs_are_left_out():
  scale, unused = tf.Variable([2.0], name="a"), tf.Variable([3.0], name="b")

  def fn(images):
    _ = unused * 2.0
    return means(images) * scale

  assert set(names(fn)) == {"a"}


def test_a_shared_variable_is_one():
  scale = tf.Variable([2.0], name="scale")
  assert set(names(lambda x: means(x) * scale * scale)) == {"scale"}


def test_tf1_functions_give_one_set_of_initial_values():
  """Each trace draws its own; both variants have those of the first."""

  def fn(images, is_training):
    random = v1.random_normal_initializer()
    w = v1.get_variable("w", [3], initializer=random)
    return means(images) * w * (2.0 if is_training else 1.0)

  spec = hie.make_feature_vector_module(fn, 4, 4)
  inference, training = (
    Consumer(spec, tags).values()["w"]
    for tags in (frozenset(), frozenset({"train"}))
  )
  np.testing.assert_array_equal(inference, training)


@pytest.mark.parametrize(
  "dtype", [tf.float16, tf.float64, tf.bfloat16, tf.int32, tf.bool]
)
def test_types(dtype):
  value = tf.cast([[1, 0, 1]], dtype)
  variable = tf.Variable(value, name="typed")
  found = names(lambda x: means(x) + tf.cast(variable, tf.float32))
  np.testing.assert_array_equal(found["typed"], value)


def test_used_sorts_and_drops_repetitions():
  a, b = (Variable(n, types.SimpleNamespace(), True) for n in "ab")
  assert used([b, a, b]) == (a, b)
