# SPDX-License-Identifier: Apache-2.0
"""A TF1 function is run anew as TF1 runs it, with all its state (C5, F4)."""

from __future__ import annotations

import pytest

import hub_image_export as hie
from hub_image_export.tensorflow_api.compat import tf

v1 = tf.compat.v1


def _batch_norm(x, is_training):
  """With averages that one op each updates, unordered."""
  with v1.variable_scope("bn", reuse=v1.AUTO_REUSE):
    mean = v1.get_variable("moving_mean", x.shape[-1:], trainable=False)
    if not is_training:
      return x - mean
    batch = tf.reduce_mean(x, [0, 1, 2])
    update = mean.assign_sub((mean - batch) * 0.1)
    v1.add_to_collection(v1.GraphKeys.UPDATE_OPS, update)
    return x - batch


def _shared(images, is_training):
  """Each update reads the averages of before, whichever runs first."""
  x = sum(_batch_norm(images * i, is_training) for i in range(1, 6))
  return tf.reduce_mean(x, [1, 2])


def _counted(images, is_training, **options):
  count = v1.get_variable("count", [], trainable=False, **options)
  scale = v1.get_variable("scale", [3])
  if is_training:
    v1.add_to_collection(v1.GraphKeys.UPDATE_OPS, count.assign_add(1))
  return tf.reduce_mean(images, [1, 2]) * scale


def _local(images, is_training):
  return _counted(images, is_training, collections=["local_variables"])


def _in_no_collection(images, is_training):
  return _counted(images, is_training, collections=[])


def _steps(images, is_training):
  """The number of steps is all that training moves."""
  steps = v1.train.get_or_create_global_step()
  scale = v1.get_variable("scale", [3])
  if is_training:
    v1.add_to_collection(v1.GraphKeys.UPDATE_OPS, steps.assign_add(1))
  return tf.reduce_mean(images, [1, 2]) * scale


@pytest.mark.parametrize(
  ("function", "changed"),
  [
    (_shared, "bn/moving_mean"),
    (_local, "count"),
    (_in_no_collection, "count"),
    (_steps, "global_step"),
  ],
)
def test_verified_and_checked(function, changed, tmp_path):
  spec = hie.make_feature_vector_module(function, 12, 10)
  summary = spec.export(tmp_path / "module", check=True)
  assert [d.name for d in summary.differences if d.kind == "variable"] == [
    changed
  ]
  assert max(d.relative for d in summary.differences) < 1e-5
  assert not summary.notes
