# SPDX-License-Identifier: Apache-2.0
"""Networks of a few ops, and their stages."""

from __future__ import annotations

from hub_image_export.publishing.network_stages import find_stages
from hub_image_export.tensorflow_api.compat import tf


def stages_of(network, size=(8, 8)):
  """The stages of `network`, from images to tensors by name."""
  with tf.Graph().as_default() as graph:
    images = tf.compat.v1.placeholder(tf.float32, [None, None, None, 3])
    outputs = {name: t.name for name, t in network(images).items()}
    return find_stages(graph.as_graph_def(), images.name, outputs, size)


def conv(x, filters=2, stride=1, padding="SAME"):
  return tf.nn.conv2d(x, tf.ones([1, 1, x.shape[-1], filters]), stride, padding)
