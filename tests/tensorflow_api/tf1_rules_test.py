# SPDX-License-Identifier: Apache-2.0
"""TensorFlow's flags answer each thread, and its switches are turned back."""

from __future__ import annotations

import pytest

from hub_image_export.tensorflow_api import tf1_rules
from hub_image_export.tensorflow_api.compat import tf

v1 = tf.compat.v1


def _state() -> dict[str, object]:
  shape = tf.TensorShape([3])
  return {
    "eager": tf.executing_eagerly(),
    "v2": tf1_rules.tf2_enabled(),
    "resources": v1.resource_variables_enabled(),
    "control_flow": v1.control_flow_v2_enabled(),
    "shapes": isinstance(shape[0], int),
    "equality": bool(tf.Tensor._USE_EQUALITY),
    "datasets": tf1_rules._place("data.ops.dataset_ops").Dataset.__name__,
  }


@pytest.mark.parametrize(
  "switch",
  [
    v1.disable_v2_behavior,
    v1.disable_eager_execution,
    v1.disable_v2_tensorshape,
    v1.disable_tensor_equality,
    v1.disable_resource_variables,
    v1.disable_control_flow_v2,
  ],
  ids=lambda switch: switch.__name__,
)
@pytest.mark.parametrize("uses_graph", [False, True])
def test_switches_are_turned_back(switch, uses_graph):
  before = _state()
  with tf1_rules.switches_kept() as asked:
    switch()
    if uses_graph:
      with tf.Graph().as_default():
        v1.placeholder(tf.float32)
      v1.get_default_graph()
    assert _state() != before
  assert _state() == before
  name = switch.__name__
  assert bool(asked) == (name.endswith(("behavior", "shape", "equality")))


def test_what_was_asked_for_is_in_force_where_it_is_wanted():
  with tf1_rules.switches_kept() as asked:
    v1.disable_v2_behavior()
  assert isinstance(tf.TensorShape([3])[0], int)
  with asked.in_force():
    assert tf.TensorShape([3])[0].value == 3
    with tf1_rules.ours():
      assert tf.TensorShape([3])[0] == 3
  assert isinstance(tf.TensorShape([3])[0], int)


def test_comparisons_are_counted():
  x = tf.constant(1.0)
  with tf1_rules.of_the_process():
    before = tf1_rules.comparisons()
    assert x is not None
    assert tf1_rules.comparisons() == before
    assert x == 1.0
    assert tf1_rules.comparisons() > before
    with tf1_rules.by_identity():
      assert x not in [tf.constant(1.0)]


def test_tensors_are_averaged_in_user_code_alone():
  """tf.train.ExponentialMovingAverage looks `ops` up where it is replaced."""

  def average():
    return tf.train.ExponentialMovingAverage(0.9).apply([tf.constant(1.0)])

  averages = tf1_rules._AVERAGING
  before = averages.ops
  with pytest.raises(TypeError, match="non-Variable"):
    average()
  with tf1_rules.of_the_process():
    assert not averages.ops.executing_eagerly_outside_functions()
    with tf1_rules.ours():
      assert averages.ops.convert_to_tensor is before.convert_to_tensor
  assert averages.ops is before
  with pytest.raises(TypeError, match="non-Variable"):
    average()
