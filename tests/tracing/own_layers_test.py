# SPDX-License-Identifier: Apache-2.0
"""Layers that a function makes have one set of variables, all variants (F4)."""

from __future__ import annotations

import concurrent.futures

import pytest

import hub_image_export as hie
from hub_image_export.tensorflow_api.compat import tf

layers = tf.keras.layers


def _network(images, is_training):
  """Two unnamed layers of one kind, as most people write them."""
  x = layers.Conv2D(4, 3, activation="relu")(images)
  x = layers.Conv2D(5, 3)(x)
  x = layers.BatchNormalization()(x, training=is_training)
  return tf.reduce_mean(x, [1, 2])


def _scaled(images, is_training):
  scale = tf.compat.v1.get_variable("scale", [5])
  return _network(images, is_training) * scale


def _in_a_module(images, is_training):
  del is_training
  return tf.keras.Sequential([layers.Conv2D(4, 3), layers.Flatten()])(images)


@pytest.mark.parametrize("function", [_network, _scaled, _in_a_module])
def test_variants_and_the_source_have_the_same_variables(function, tmp_path):
  layers.Conv2D(1, 1)  # Keras counts the layers that others make, too.
  spec = hie.make_feature_vector_module(function, 12, 10)
  layers.Conv2D(1, 1)
  summary = spec.export(tmp_path / "module")
  count = {_network: 8, _scaled: 9, _in_a_module: 2}[function]
  assert max(d.relative for d in summary.differences) < 1e-4
  assert len(spec.function.variables) == count


def test_another_thread_exports(tmp_path):
  layers.Conv2D(1, 1)
  spec = hie.make_feature_vector_module(_network, 12, 10)
  with concurrent.futures.ThreadPoolExecutor() as pool:
    assert pool.submit(spec.export, tmp_path / "module").result().verified


def test_names_of_later_layers_are_those_without_an_export():
  first = layers.Conv2D(1, 1).name
  hie.make_feature_vector_module(_network, 12, 10)
  number = int(first.rpartition("_")[2]) if first[-1].isdigit() else 0
  assert layers.Conv2D(1, 1).name == f"conv2d_{number + 1}"


def test_names_that_change_with_each_call_are_refused():
  calls = []

  def function(images, is_training):
    del is_training
    calls.append(0)
    kernel = tf.compat.v1.get_variable(f"kernel_{len(calls)}", [3, 4])
    return tf.reduce_mean(images, [1, 2]) @ kernel

  with pytest.raises(ValueError, match=r"1 trainable variables .*\(kernel_1\)"):
    hie.make_feature_vector_module(function, 12, 10)
