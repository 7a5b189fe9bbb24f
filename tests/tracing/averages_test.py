# SPDX-License-Identifier: Apache-2.0
"""TF1's own moving averages, which ask variables more than their values."""

from __future__ import annotations

import pytest

from hub_image_export.tensorflow_api.compat import tf
from tests.support import models

v1 = tf.compat.v1


def _trained(images, is_training, update):
  """A mean that training updates by `update(variable, value)`."""
  x = tf.reduce_mean(images, [1, 2])
  with v1.variable_scope("net"):
    mean = v1.get_variable("mean", [3], trainable=False)
    weight = v1.get_variable("weight", [3])
  if is_training:
    value = tf.reduce_mean(x, 0)
    v1.add_to_collection(v1.GraphKeys.UPDATE_OPS, update(mean, value))
  return (x - mean) * weight


def _zero_debias(mean, value):
  from tensorflow.python.training import moving_averages

  return moving_averages.assign_moving_average(
    mean, value, 0.9, zero_debias=True
  )


def _average(mean, value):
  average = tf.compat.v1.train.ExponentialMovingAverage(0.8)
  with tf.control_dependencies([mean.assign(value)]):
    return average.apply([mean])


def _by_name(mean, value):
  (same,) = [v for v in v1.global_variables() if v.op.name == "net/mean"]
  assert same.op.type == "VarHandleOp"
  return same.assign_add(value)


@pytest.mark.parametrize("update", [_zero_debias, _average, _by_name])
def test_variables_tell_their_ops(update, tmp_path):
  def fn(images, is_training):
    return _trained(images, is_training, update)

  spec = models.by_name("tf1").build(
    fn, drop_collections=["moving_average_variables"]
  )
  assert spec.function.variants[1].updates
  summary = spec.export(tmp_path / "module")
  assert summary.verified
  changed = {d.name for d in summary.differences if d.kind == "variable"}
  assert "net/mean" in changed


@pytest.mark.parametrize(
  "optimizer", [v1.train.GradientDescentOptimizer, v1.train.AdamOptimizer]
)
def test_steps_of_optimizers_are_refused_by_the_name_of_their_op(optimizer):
  def step(mean, value):
    loss = tf.reduce_sum(tf.square(mean - tf.stop_gradient(value)))
    return optimizer(0.1).minimize(loss, var_list=[mean])

  def fn(images, is_training):
    return _trained(images, is_training, step)

  with pytest.raises(ValueError, match="Apply.* a module can"):
    models.by_name("tf1").build(fn)


@pytest.mark.skipif(
  not hasattr(v1.layers, "batch_normalization"), reason="Keras 2 has tf.layers."
)
@pytest.mark.parametrize("options", [{}, {"fused": False}, {"renorm": True}])
def test_batch_norms_of_tf_layers(options, tmp_path):
  def fn(images, is_training):
    x = v1.layers.conv2d(images, 4, 3)
    x = v1.layers.batch_normalization(x, training=is_training, **options)
    return tf.reduce_mean(x, [1, 2])

  spec = models.by_name("tf1").build(fn)
  summary = spec.export(tmp_path / "module")
  assert summary.verified
  changed = [d for d in summary.differences if d.kind == "variable"]
  assert len(changed) == (5 if "renorm" in options else 2)
