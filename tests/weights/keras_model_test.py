# SPDX-License-Identifier: Apache-2.0
"""Values from files of weights: all of them, or an error that says why."""

import numpy as np
import pytest

from hub_image_export import errors
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.weights import keras_model as keras_weights


def _model(units=2, layers=2):
  model = tf.keras.Sequential([tf.keras.Input((4,))])
  for i in range(layers):
    model.add(tf.keras.layers.Dense(units, name=f"dense{i}"))
  return model


def _save(model, tmp_path):
  path = str(tmp_path / "x.weights.h5")
  model.save_weights(path)
  return path


def test_values_arrive(tmp_path):
  model, other = _model(), _model()
  keras_weights.load(other, _save(model, tmp_path))
  for a, b in zip(model.get_weights(), other.get_weights()):
    np.testing.assert_array_equal(a, b)


def test_file_of_a_whole_model(tmp_path):
  path = str(tmp_path / "model.h5")
  model, other = _model(), _model()
  model.save(path)
  keras_weights.load(other, path)
  np.testing.assert_array_equal(model.get_weights()[0], other.get_weights()[0])


def test_missing_file():
  with pytest.raises(
    errors.WeightsError, match="'no.h5' is no file: expected weights"
  ):
    keras_weights.load(_model(), "no.h5")


def test_file_of_something_else(tmp_path):
  path = tmp_path / "x.weights.h5"
  path.write_text("not a file of weights")
  with pytest.raises(errors.WeightsError, match="do not fit"):
    keras_weights.load(_model(), str(path))


@pytest.mark.parametrize("other", [{"units": 3}, {"layers": 3}])
def test_file_of_another_architecture(tmp_path, other):
  with pytest.raises(errors.WeightsError, match="same architecture"):
    keras_weights.load(_model(**other), _save(_model(), tmp_path))


def test_values_that_are_nan(tmp_path):
  model = _model()
  model.set_weights([np.full_like(w, np.nan) for w in model.get_weights()])
  with pytest.raises(errors.WeightsError, match="NaN, for 4 of 4 variables"):
    keras_weights.load(_model(), _save(model, tmp_path))


def _normalizing_model(mean, variance):
  layer = tf.keras.layers.Normalization(axis=-1)
  images = tf.keras.Input((2, 2, 3))
  model = tf.keras.Model(images, layer(images))
  count = layer.get_weights()[2]
  layer.set_weights([np.float32(mean), np.float32(variance), count])
  layer.finalize_state()
  keras_weights.undo_missing_rescaling(model)
  return model


def test_published_efficientnet_weights_hold_deviations_for_variances():
  mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
  images = np.random.default_rng(0).random((2, 2, 2, 3), np.float32)
  actual = _normalizing_model(mean, std)(images)
  np.testing.assert_allclose(
    actual, (images - mean) / std, rtol=1e-4, atol=1e-5
  )


@pytest.mark.parametrize("variance", [[1, 1, 1], [0.06, 0.05, 0.05]])
def test_variances_stay(variance):
  images = np.random.default_rng(0).random((2, 2, 2, 3), np.float32)
  actual = _normalizing_model([0.5, 0.4, 0.3], variance)(images)
  expected = (images - [0.5, 0.4, 0.3]) / np.sqrt(variance)
  np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)
