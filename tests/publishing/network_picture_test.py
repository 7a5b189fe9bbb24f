# SPDX-License-Identifier: Apache-2.0
"""The picture of a network: what comes from what, and how deep it lies."""

from __future__ import annotations

from hub_image_export.publishing.network_picture import draw
from hub_image_export.tensorflow_api.compat import tf


def _draw(network):
  """Draws `network`, from images to tensors by name."""
  with tf.Graph().as_default() as graph:
    images = tf.compat.v1.placeholder(tf.float32, [None, 8, 8, 3])
    outputs = {
      name: (tensor.name, f"[{name[0]}]")
      for name, tensor in network(images).items()
    }
    return draw(graph.as_graph_def(), images.name, outputs)


def _conv(x):
  return tf.nn.conv2d(x, tf.ones([1, 1, x.shape[-1], 2]), 1, "SAME")


def test_a_chain_goes_straight_down():
  def network(images):
    first = _conv(images)
    return {"b": _conv(tf.nn.relu(first)), "a": first}

  assert _draw(network) == [
    "images  RGB in [0, 1]",
    "│",
    "▼",
    "a       [a]  after 1 of 2 layers",
    "│",
    "▼",
    "b       [b]  after 2 of 2 layers",
  ]


def test_what_ends_first_branches_off():
  def network(images):
    first = _conv(images)
    return {"main": _conv(_conv(first)), "side": _conv(first), "a": first}

  assert _draw(network) == [
    "images    RGB in [0, 1]",
    "│",
    "▼",
    "a         [a]  after 1 of 3 layers",
    "│",
    "├─▶ side  [s]  after 2 of 3 layers",
    "│",
    "▼",
    "main      [m]  after 3 of 3 layers",
  ]


def test_a_shortcut_is_no_second_parent_and_a_join_has_two():
  def network(images):
    first = _conv(images)
    second = _conv(first)
    other = tf.nn.relu(first)
    return {
      "first": first,
      "second": second,
      "other": other,
      "shortcut": first + second,
      "join": second + other,
    }

  lines = _draw(network)
  (shortcut,) = [line for line in lines if "shortcut" in line]
  (join,) = [line for line in lines if "join" in line]
  assert "also from" not in shortcut
  assert join.endswith("also from other")


def test_names_of_one_tensor_stand_together_and_copies_are_seen_through():
  def network(images):
    first = _conv(images)
    copy = tf.identity(tf.identity(first))
    return {"a": first, "copy": copy, "b": tf.nn.relu(copy)}

  lines = _draw(network)
  assert "a = copy" in lines[3]
  assert lines[6].startswith("b ")


def test_loops_and_networks_without_layers_are_drawn():
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

  assert _draw(network)[-1] == "out     [o]"


def test_many_endpoints_in_a_row():
  def network(images):
    found, x = {}, images
    for i in range(1200):
      x = found[f"e{i}"] = tf.nn.relu(x)
    return found

  assert len(_draw(network)) == 3 * 1200 + 1


def test_names_are_kept_on_their_lines():
  lines = _draw(lambda images: {"a\nb": _conv(images)})
  assert lines[-1].startswith("a\\nb")
