# SPDX-License-Identifier: Apache-2.0
"""Half precision is coarse: no module is blamed for it, nor let off for more.

Processors round it in their own ways, with kernels that depend on the batch
size, and on whether there is a graph. Here the source says how far.
"""

from __future__ import annotations

import pytest

import hub_image_export as hie
from hub_image_export.tensorflow_api.compat import tf

# How far one way to compute may be from another, of an answer.
_ROUNDING = {"float16": 1e-3, "bfloat16": 1e-2}
_FAULT = {"float16": 0.05, "bfloat16": 0.3}


class _Source(tf.Module):
  """Means of channels, in `dtype`, times what `factor` says of images."""

  def __init__(self, dtype, factor):
    super().__init__()
    self.weights = tf.Variable(tf.eye(3), name="weights")
    self._dtype, self._factor = dtype, factor

  def __call__(self, images):
    x = tf.cast(tf.reduce_mean(images, [1, 2]), self._dtype)
    y = tf.matmul(x, tf.cast(self.weights, self._dtype))
    return tf.cast(y, tf.float32) * self._factor(images)


def _export(path, dtype, factor, **options):
  source = _Source(dtype, factor)
  hie.make_feature_vector_module(source, 8, 8).export(path, **options)
  return path


def _other_without_a_graph(part):
  return lambda images: 1.0 + part if tf.executing_eagerly() else 1.0


def _other_for_one_image(part):
  return lambda images: tf.where(tf.shape(images)[0] == 1, 1.0 + part, 1.0)


@pytest.mark.parametrize("dtype", _ROUNDING)
def test_a_source_that_rounds_otherwise_in_a_graph_is_exported(dtype, tmp_path):
  _export(tmp_path / "m", dtype, _other_without_a_graph(_ROUNDING[dtype]))


@pytest.mark.parametrize("dtype", _FAULT)
def test_what_no_rounding_explains_is_refused(dtype, tmp_path):
  with pytest.raises(hie.VerificationError, match="differs from the source"):
    _export(tmp_path / "m", dtype, _other_without_a_graph(_FAULT[dtype]))


def test_single_precision_is_no_excuse(tmp_path):
  """Weights in half precision, which are cast, make nothing coarse."""

  class Stored(_Source):
    def __init__(self):
      super().__init__("float32", _other_without_a_graph(1e-3))
      self.weights = tf.Variable(tf.eye(3, dtype=tf.float16), name="weights")

  spec = hie.make_feature_vector_module(Stored(), 8, 8)
  with pytest.raises(hie.VerificationError, match="differs from the source"):
    spec.export(tmp_path / "m")


@pytest.mark.parametrize("dtype", _ROUNDING)
def test_the_check_lets_kernels_depend_on_the_batch_size(dtype, tmp_path):
  factor = _other_for_one_image(5 * _ROUNDING[dtype])
  spec = hie.make_feature_vector_module(_Source(dtype, factor), 8, 8)
  spec.export(tmp_path / "m", check=True)
  spec.export_saved_model(tmp_path / "reusable", check=True)
  for path in (tmp_path / "m", tmp_path / "reusable"):
    rules = {finding.rule for finding in hie.check_module(path).findings}
    assert "batch-dependent" not in rules


@pytest.mark.parametrize("dtype", ["float32", *_FAULT])
def test_the_check_finds_images_that_depend_on_others(dtype, tmp_path):
  part = 2 * _FAULT.get(dtype, 0.005)
  path = _export(tmp_path / "m", dtype, _other_for_one_image(part))
  assert "batch-dependent" in {f.rule for f in hie.check_module(path).findings}
