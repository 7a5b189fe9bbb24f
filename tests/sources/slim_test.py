# SPDX-License-Identifier: Apache-2.0
"""tf_slim's networks, batch norm included, on every line of TensorFlow."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest

import hub_image_export as hie
from hub_image_export.tensorflow_api.compat import tf
from tests.support.consumer import Consumer, random_images

slim = pytest.importorskip("tf_slim")
v1 = tf.compat.v1
_IMAGES = random_images(4, 12, 10)
_DECAY = 0.75


def _net(fused, **more):
  def fn(images, is_training):
    norm = {"is_training": is_training, "fused": fused, "decay": _DECAY}
    with slim.arg_scope(
      [slim.conv2d],
      normalizer_fn=slim.batch_norm,
      normalizer_params={**norm, **more},
      weights_regularizer=slim.l2_regularizer(0.01),
    ):
      x = slim.conv2d(images, 4, 3, outputs_collections="net_end_points")
      x = slim.conv2d(x, 5, 3, stride=2)
    x = slim.dropout(x, 0.999, is_training=is_training)
    return tf.reduce_mean(x, [1, 2])

  return fn


@pytest.mark.parametrize(
  "fused, more",
  [
    (None, {}),
    (False, {}),
    (True, {"scale": True, "center": False}),
    (True, {"updates_collections": None}),  # Updated where it is called.
    (False, {"updates_collections": None}),
    (True, {"zero_debias_moving_mean": True}),
  ],
)
def test_batch_norm(fused, more, tmp_path):
  fn = _net(fused, **more)
  summary = hie.make_feature_vector_module(fn, 12, 10).export(
    tmp_path / "m", check=True
  )
  assert {d.variant for d in summary.differences} == {"inference", "train"}
  consumer = Consumer(str(tmp_path / "m"), {"train"})
  before = consumer.values()
  consumer.run(consumer.updates, _IMAGES)
  after = consumer.values()
  for name, value in before.items():
    moved = not np.array_equal(after[name], value)
    assert moved == ("moving_" in name), name


@pytest.mark.parametrize("fused", [None, False])
def test_momentum_takes_the_place_of_the_decay(fused, tmp_path):
  """H1: new = momentum · old + (1 − momentum) · batch."""
  spec = hie.make_feature_vector_module(
    _net(fused), 12, 10, batch_norm_momentum=True
  )
  spec.export(tmp_path / "m", check=True)
  changes = []
  for momentum in (0.0, 0.5):
    feeds = {"batch_norm_momentum": momentum}
    consumer = Consumer(str(tmp_path / "m"), {"train"}, feeds=feeds)
    signature = "image_feature_vector_with_bn_hparams"
    updates = [
      op for op in consumer.collection("update_ops") if signature in op.name
    ]
    before = consumer.values()
    consumer.run(updates, _IMAGES)
    after = consumer.values()
    changes.append({k: after[k] - v for k, v in before.items()})
  moved = [name for name, change in changes[0].items() if change.any()]
  assert len(moved) == 4
  for name in moved:
    half = 0.5 * changes[0][name]
    np.testing.assert_allclose(changes[1][name], half, rtol=1e-4, atol=1e-6)


def test_tf_slim_still_needs_help():
  """hub_image_export/tensorflow_api/slim.py can go when this fails."""
  assert "tf_slim" in sys.modules
  assert importlib.util.find_spec("tf_keras") is None or (
    importlib.util.find_spec("tf_keras.legacy_tf_layers") is None
  )
