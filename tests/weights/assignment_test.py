# SPDX-License-Identifier: Apache-2.0
"""Every variable gets its value from the checkpoint, or one error says all."""

from __future__ import annotations

import numpy as np
import pytest

import hub_image_export as hie
from hub_image_export.errors import WeightsError
from hub_image_export.tensorflow_api.compat import tf

v1 = tf.compat.v1
SHAPES = {"a/kernel": [3, 4], "a/bias": [4], "b/scale": [4]}


def network(images, is_training=False):
  kernel, bias, scale = (
    v1.get_variable(name, shape) for name, shape in SHAPES.items()
  )
  x = tf.linalg.matmul(tf.reduce_mean(images, [1, 2]), kernel) + bias
  return x * scale * (2.0 if is_training else 1.0)


@pytest.fixture(scope="module")
def spec():
  return hie.make_feature_vector_module(network, 4, 4)


def values(**changes):
  random = np.random.RandomState(0)
  found = {
    name: random.normal(size=shape).astype(np.float32)
    for name, shape in SHAPES.items()
  }
  return {**found, **changes}


def save(tmp_path, found):
  np.savez(tmp_path / "w.npz", **found)
  return tmp_path / "w.npz"


def read(spec):
  return {v.name: v.read().numpy() for v in spec.function.variables}


def assert_has(spec, expected):
  for name, value in read(spec).items():
    np.testing.assert_array_equal(value, expected[name])


def test_all_problems_in_one_error(spec, tmp_path):
  found = values()
  found["x/a/bias"] = found.pop("a/bias")
  found["a/kernel"] = np.zeros([3, 5], np.float32)
  found["b/scale"] = np.zeros([4], np.int32)
  with pytest.raises(WeightsError) as raised:
    spec.with_weights(save(tmp_path, found))
  message = str(raised.value)
  assert message.startswith("3 of 3 variables")
  assert "a/bias is missing (nearest: x/a/bias)" in message
  assert "a/kernel has shape (3, 4), and (3, 5)" in message
  assert "b/scale is float32, and int32" in message


def test_a_failed_export_leaves_nothing(spec, tmp_path):
  with pytest.raises(WeightsError):
    spec.export(tmp_path / "module", save(tmp_path, {"a/bias": np.ones(4)}))
  assert [p.name for p in tmp_path.iterdir()] == ["w.npz"]


def test_unused_values_are_reported(spec, tmp_path, caplog):
  found = values(**{"c/extra": np.ones(2), "global_step": np.array(3)})
  found["a/kernel/Adam"] = found["a/kernel/Adam_1"] = found["a/kernel"]
  found["beta1_power"] = np.array(0.9)
  path = save(tmp_path, found)
  assert_has(spec.with_weights(path), found)
  assert "has 1 values that no variable of the module asked" in caplog.text
  assert "c/extra" in caplog.text and "Adam" not in caplog.text
  with pytest.raises(WeightsError, match="1 values .*c/extra"):
    spec.with_weights(path, strict=True)
  del found["c/extra"]
  assert_has(spec.with_weights(save(tmp_path, found), strict=True), found)


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16])
def test_half_floats_are_converted_and_said(spec, tmp_path, caplog, dtype):
  halves = {k: tf.Variable(tf.cast(v, dtype)) for k, v in values().items()}
  with tf.Graph().as_default(), v1.Session() as session:
    made = {
      k: v1.get_variable(k, initializer=tf.cast(v, dtype))
      for k, v in values().items()
    }
    session.run(v1.global_variables_initializer())
    path = v1.train.Saver(made).save(session, str(tmp_path / "half"))
  spec.export(tmp_path / "m", path)
  assert "3 variables are half floats" in caplog.text
  assert_has(
    spec.with_weights(tmp_path / "m"),
    {k: tf.cast(v, tf.float32).numpy() for k, v in halves.items()},
  )


def test_doubles_are_not_rounded_silently(spec, tmp_path):
  found = {k: v.astype(np.float64) for k, v in values().items()}
  with pytest.raises(WeightsError, match="a/bias is float32, and float64"):
    spec.with_weights(save(tmp_path, found))


def test_the_live_model_keeps_its_values(spec, tmp_path):
  before = read(spec)
  spec.export(tmp_path / "m", save(tmp_path, values()))
  assert_has(spec, before)


def test_nan_in_a_checkpoint(spec, tmp_path):
  found = values(**{"a/bias": np.full([4], np.nan, np.float32)})
  with pytest.raises(WeightsError, match="NaN or infinite: a/bias"):
    spec.export(tmp_path / "m", save(tmp_path, found))


@pytest.mark.parametrize(
  "options", [{"ema": True}, {"strict": True}, {"name_transform_fn": str}]
)
def test_options_without_a_checkpoint(spec, tmp_path, options):
  with pytest.raises(ValueError, match="without checkpoint_path"):
    spec.export(tmp_path / "m", **options)
