# SPDX-License-Identifier: Apache-2.0
"""What TensorFlow cannot differentiate is no training variant (F2)."""

from __future__ import annotations

import pytest

import hub_image_export as hie
from hub_image_export.graph.no_gradients import stop_before_weights
from hub_image_export.tensorflow_api.compat import tf

v1 = tf.compat.v1


def _contrast(x):
  return tf.raw_ops.AdjustContrastv2(images=x, contrast_factor=0.5)


def _net(before, after, train_only=True):
  def fn(images, is_training):
    changes = is_training or not train_only
    x = before(images) if changes else images
    x = tf.nn.conv2d(x, v1.get_variable("kernel", [3, 3, 3, 3]), 1, "SAME")
    x = after(x) if changes else x
    return tf.reduce_mean(x, [1, 2]) + (0.0 if is_training else 1.0)

  return fn


def _same(x):
  return x


def _stopped(x):
  return x + tf.stop_gradient(_contrast(x))


def _counted(x):
  """Whole numbers end gradients without an error."""
  return x + tf.cast(
    tf.raw_ops.Bucketize(input=x, boundaries=[0.5]), tf.float32
  )


def test_an_op_between_weights_and_outputs_is_named():
  with pytest.raises(ValueError, match=r"no gradient of the op .*Contrastv2\)"):
    hie.make_feature_vector_module(_net(_same, _contrast), 12, 10)


@pytest.mark.parametrize(
  "net", [_net(_contrast, _same), _net(_same, _stopped), _net(_same, _counted)]
)
def test_where_no_gradient_is_needed_none_is_missed(net, tmp_path):
  spec = hie.make_feature_vector_module(net, 12, 10)
  assert "train" in spec.export(tmp_path / "module", check=True).variants


@pytest.mark.parametrize(
  "before",
  [
    _contrast,
    lambda x: tf.map_fn(_contrast, x),
    lambda x: tf.image.random_hue(tf.image.random_contrast(x, 0.8, 1.2), 0.1),
  ],
)
def test_reusable_modules_are_trained_behind_it(before, tmp_path):
  """A function has gradients by its images, too, which a model has not."""
  spec = hie.make_feature_vector_module(_net(before, _same), 12, 10)
  path = str(tmp_path / "module")
  assert spec.export_saved_model(path, check=True).verified
  module = tf.saved_model.load(path)
  with tf.GradientTape() as tape:
    total = tf.reduce_sum(module(tf.random.uniform([2, 12, 10, 3]), True))
  (gradient,) = tape.gradient(total, module.trainable_variables)
  assert float(tf.norm(gradient)) > 0.0


def test_a_module_for_inference_alone_may_have_it(tmp_path):
  net = _net(_same, _contrast, train_only=False)
  spec = hie.make_feature_vector_module(net, 12, 10, training=False)
  assert spec.export(tmp_path / "module").verified


def test_networks_without_it_stay_as_they_are():
  """Assignments have no gradient either; they are behind weights."""
  graph_def = tf.compat.v1.GraphDef()
  with tf.Graph().as_default() as graph:
    x = v1.placeholder(tf.float32, [None, 3], name="images")
    handle = v1.placeholder(tf.resource, [], name="handle")
    value = tf.raw_ops.ReadVariableOp(resource=handle, dtype=tf.float32)
    tf.raw_ops.AssignVariableOp(resource=handle, value=value + x)
    graph_def.CopyFrom(graph.as_graph_def())
  before = graph_def.SerializeToString(deterministic=True)
  stop_before_weights(graph_def, ["handle"])
  assert graph_def.SerializeToString(deterministic=True) == before


def test_nothing_is_added_but_ends_of_gradients():
  """An import would add defaults, which TensorFlow 1.15 may not know."""
  with tf.Graph().as_default() as graph:
    x = v1.placeholder(tf.float32, [None, 4, 4, 3], name="images")
    handle = v1.placeholder(tf.resource, [], name="handle")
    _contrast(x)
    tf.raw_ops.AssignVariableOp(resource=handle, value=1.0)
    graph_def = graph.as_graph_def()
  for node in graph_def.node:
    node.attr.pop("validate_shape", None)
  known = [node.name for node in graph_def.node]
  stop_before_weights(graph_def, ["handle"])
  assert [n.op for n in graph_def.node[len(known) :]] == ["StopGradient"]
  assert all("validate_shape" not in node.attr for node in graph_def.node)
