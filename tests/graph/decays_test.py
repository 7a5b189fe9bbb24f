# SPDX-License-Identifier: Apache-2.0
"""Moving averages are found however they are spelt, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest

import hub_image_export as hie
from hub_image_export.tensorflow_api.compat import tf
from tests.conformance.warnings_of import warnings_of

v1 = tf.compat.v1
_D = 0.9


def _module(name):
  return __import__(f"tensorflow.python.training.{name}", fromlist=[name])


def _debiased(zero_debias):
  assign = _module("moving_averages").assign_moving_average
  return lambda v, x: assign(v, x, _D, zero_debias=zero_debias)


def _fused(v, x):
  """`x` is a mean; the fused op makes it of values that have it."""
  values = tf.reshape(tf.tile(x[None], [4, 1]), [4, 1, 1, 4])
  outputs = v1.nn.fused_batch_norm(
    values,
    tf.ones([4]),
    tf.zeros([4]),
    mean=v.read_value(),
    variance=tf.ones([4]),
    exponential_avg_factor=1.0 - _D,
  )
  return v.assign(outputs[1])


_AVERAGES = {
  "assign_moving_average": _debiased(False),
  "sub": lambda v, x: v.assign_sub((v - x) * (1 - _D)),
  "sub_turned": lambda v, x: v.assign_sub((1 - _D) * (v - x)),
  "add": lambda v, x: v.assign_add((x - v) * (1 - _D)),
  "sum": lambda v, x: v.assign(v * _D + x * (1 - _D)),
  "sum_turned": lambda v, x: v.assign((1 - _D) * x + _D * v),
  "less": lambda v, x: v.assign(v - (v - x) * (1 - _D)),
  "more": lambda v, x: v.assign(v + (1 - _D) * (x - v)),
  "constants": lambda v, x: v.assign(
    v * tf.constant(_D) + x * (1.0 - tf.constant(_D))
  ),
  "functions": lambda v, x: v1.assign_sub(
    v, tf.multiply(tf.subtract(tf.identity(v), x), 1 - _D)
  ),
  "fused": _fused,
}
_OTHERS = {
  "sum_of_all": lambda v, x: v.assign_add(0.1 * x),
  "not_one": lambda v, x: v.assign(0.9 * v + 0.3 * x),
  "squares": lambda v, x: v.assign(v * v * 0.9 + 0.1 * x),
  "of_no_images": lambda v, x: v.assign(0.9 * v + 0.1 * tf.ones([4])),
  "latest": lambda v, x: v.assign(x),
}


def _net(*assignments):
  def fn(images, is_training):
    x = tf.matmul(tf.reduce_mean(images, [1, 2]), v1.get_variable("k", [3, 4]))
    for i, assign in enumerate(assignments):
      v = v1.get_variable(f"v{i}", [4], trainable=False)
      if is_training:
        v1.add_to_collection(
          v1.GraphKeys.UPDATE_OPS, assign(v, tf.reduce_mean(x, 0))
        )
      else:
        x -= v
    return x

  return fn


def _build(*assignments):
  return hie.make_feature_vector_module(
    _net(*assignments), 6, 5, batch_norm_momentum=True
  )


@pytest.mark.parametrize("name", _AVERAGES)
def test_averages(name, tmp_path):
  """Verification holds the step against the source, with the source's decay."""
  spec = _build(_AVERAGES[name])
  summary = spec.export(tmp_path / "m")
  assert any(d.kind == "variable" for d in summary.differences)
  (decay,) = spec.function.variants[-1].decays.values()
  np.testing.assert_allclose(decay, _D, rtol=1e-5)


@pytest.mark.parametrize("name", _OTHERS)
def test_what_is_no_average(name, tmp_path, caplog):
  with pytest.raises(ValueError, match="argument batch_norm_momentum"):
    _build(_OTHERS[name])
  specs = []
  warnings = warnings_of(
    caplog,
    lambda: specs.append(_build(_AVERAGES["sub"], _OTHERS[name])),
  )
  assert sum("no decay was found" in w for w in warnings) == 1
  specs[0].export(tmp_path / "m")


def test_several_decays(tmp_path):
  """The input takes the place of all: verified with each of them."""
  spec = _build(
    _AVERAGES["sub"],
    lambda v, x: v.assign(0.5 * v + 0.5 * x),
    _debiased(False),
  )
  spec.export(tmp_path / "m", check=True)
  decays = spec.function.variants[-1].decays
  np.testing.assert_allclose(sorted(decays.values()), [0.5, _D, _D], rtol=1e-5)
