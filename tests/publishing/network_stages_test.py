# SPDX-License-Identifier: Apache-2.0
"""The stages of a network: what comes from what, how deep, of how much."""

from __future__ import annotations

import numpy as np

from hub_image_export.tensorflow_api.compat import tf
from tests.publishing.networks import conv, stages_of


def _by_title(network, **options):
  return {s.title: s for s in stages_of(network, **options).values()}


def _parents(stages, title):
  (stage,) = [s for s in stages.values() if s.title == title]
  return [stages[parent].title for parent in stage.parents]


def test_a_chain():
  def network(images):
    first = conv(images)
    return {"b": conv(conv(tf.nn.relu(first))), "a": first}

  stages = stages_of(network)
  assert [s.title for s in stages.values()] == ["images", "a", "b"]
  assert [s.layers for s in stages.values()] == [0, 1, 2]
  assert [s.depth for s in stages.values()] == [0, 1, 3]
  assert {s.shape for s in stages.values()} == {
    "[?, 8, 8, 3]",
    "[?, 8, 8, 2]",
  }
  assert _parents(stages, "b") == ["a"]


def test_a_shortcut_is_no_second_parent_and_a_join_has_two():
  def network(images):
    first = conv(images)
    second = conv(first)
    other = tf.nn.relu(first)
    return {
      "first": first,
      "second": second,
      "other": other,
      "shortcut": first + second,
      "join": second + other,
    }

  stages = stages_of(network)
  assert _parents(stages, "shortcut") == ["second"]
  assert _parents(stages, "join") == ["other", "second"]


def test_names_of_one_tensor_stand_together_and_copies_are_seen_through():
  def network(images):
    first = conv(images)
    copy = tf.identity(tf.identity(first))
    return {"a": first, "copy": copy, "b": tf.nn.relu(copy)}

  assert list(_by_title(network)) == ["images", "a = copy", "b"]


def test_stages_without_a_name_end_where_the_image_shrinks():
  def network(images):
    x = tf.nn.relu(conv(conv(images)))
    x = tf.nn.relu(conv(tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]), 4, 2))
    # Squeeze and excitation: one pixel on the way, and then all again.
    x *= conv(tf.reduce_mean(x, [1, 2], keepdims=True), 4)
    x = tf.nn.max_pool2d(conv(x, 4, padding="VALID"), 2, 2, "SAME")
    x = conv(x, 6)
    return {"default": tf.reduce_mean(x, [1, 2])}

  stages = _by_title(network, size=(16, 16))
  assert {title: s.layers for title, s in stages.items()} == {
    "images": 0,
    "16x16": 2,
    "9x9": 3,
    "5x5": 1,
    "default": 0,
  }
  assert stages["9x9"].shape == "[?, 9, 9, 4]"


def test_no_second_end_where_a_stage_has_a_name():
  def network(images):
    first = conv(images)
    return {"Net/conv": first, "default": conv(tf.nn.relu(first))}

  assert list(_by_title(network)) == ["images", "Net/conv", "default"]


def test_parameters_count_once_for_the_first_stage_that_reads_them():
  def network(images):
    def variable(name, shape):
      return tf.compat.v1.get_variable(name, shape, use_resource=True)

    shared = variable("shared", [1, 1, 3, 3])
    first = tf.nn.conv2d(images, shared, 1, "SAME")
    second = tf.nn.conv2d(first, shared, 1, "SAME")
    kernel = variable("kernel", [3, 10])
    bias = tf.compat.v1.get_variable("bias", [10], use_resource=False)
    logits = tf.reduce_mean(second, [1, 2]) @ kernel + bias
    return {"a": first, "b": second, "default": logits}

  found = {t: s.parameters for t, s in _by_title(network).items()}
  assert found == {"images": 0, "a": 9, "b": 0, "default": 40}


def test_loops_and_networks_without_layers_have_stages():
  def network(images):
    tf.compat.v1.disable_control_flow_v2()
    try:
      x = tf.reduce_mean(images, [1, 2])
      _, x = tf.compat.v1.while_loop(
        lambda i, x: i < 3, lambda i, x: (i + 1, x * 2.0), (0, x)
      )
    finally:
      tf.compat.v1.enable_control_flow_v2()
    return {"out": x}

  stages = stages_of(network)
  assert _parents(stages, "out") == ["images"]


def test_what_does_not_come_from_the_images_has_no_parents():
  stages = stages_of(
    lambda images: {"a": conv(images), "b": tf.constant(np.ones(3))}
  )
  assert _parents(stages, "b") == []


def test_many_endpoints_in_a_row():
  def network(images):
    found, x = {}, images
    for i in range(1200):
      x = found[f"e{i}"] = tf.nn.relu(x)
    return found

  assert len(stages_of(network)) == 1201
