# SPDX-License-Identifier: Apache-2.0
"""Saved Keras models, and the hints about those that cannot be read."""

import json
import zipfile

import numpy as np
import pytest

from hub_image_export.sources import keras_files as model_files
from hub_image_export.tensorflow_api import keras_packages
from hub_image_export.tensorflow_api.compat import tf


def _model():
  return tf.keras.Sequential(
    [
      tf.keras.Input((8, 6, 3)),
      tf.keras.layers.GlobalAveragePooling2D(),
      tf.keras.layers.Dense(2),
    ]
  )


@pytest.mark.parametrize("suffix", [".keras", ".h5", ".hdf5"])
def test_saved_model_comes_back(tmp_path, suffix):
  path = str(tmp_path / f"model{suffix}")
  model = _model()
  model.compile("sgd", loss="mse")
  model.save(path)
  images = np.ones((1, 8, 6, 3), np.float32)
  loaded = model_files.load(path)
  np.testing.assert_array_equal(loaded(images), model(images))


@pytest.mark.parametrize("name", ["x.weights.h5", "x.h5"])
def test_weights_only(tmp_path, name):
  path = str(tmp_path / name)
  if name == "x.h5" and keras_packages.version()[0] == "3":
    pytest.skip("Keras 3 writes no such file")
  _model().save_weights(path)
  with pytest.raises(ValueError, match="weights only.*--checkpoint.*--weights"):
    model_files.load(path)


def test_missing_file():
  with pytest.raises(ValueError, match="'no.keras' is no file: expected"):
    model_files.load("no.keras")


def test_damaged_file(tmp_path):
  path = tmp_path / "model.keras"
  path.write_text("nothing")
  with pytest.raises(ValueError, match="model.keras.*not all of one: expected"):
    model_files.load(str(path))


_OWN = keras_packages.version()[0]


@pytest.mark.parametrize(
  "version, message",
  [
    ("2.15.0", "TF_USE_LEGACY_KERAS=1" if _OWN == "3" else "file.py:name"),
    ("3.1.0", "TensorFlow 2.16 or later" if _OWN == "2" else "file.py:name"),
  ],
)
def test_hint_names_the_keras_that_saved_it(tmp_path, version, message):
  path = str(tmp_path / "model.keras")
  with zipfile.ZipFile(path, "w") as archive:
    archive.writestr("metadata.json", json.dumps({"keras_version": version}))
    archive.writestr("config.json", '{"class_name": "NoSuchModel"}')
  with pytest.raises(ValueError, match=message):
    model_files.load(path)


@pytest.mark.parametrize(
  "version, legacy", [("2.15.0", True), ("3.1.0", False)]
)
def test_hint_for_hdf5(tmp_path, version, legacy):
  h5py = pytest.importorskip("h5py")
  path = str(tmp_path / "model.h5")
  with h5py.File(path, "w") as file:
    file.attrs["keras_version"] = version
    file.attrs["model_config"] = '{"class_name": "NoSuchModel", "config": {}}'
  with pytest.raises(ValueError) as refused:
    model_files.load(path)
  assert ("TF_USE_LEGACY_KERAS=1" in str(refused.value)) == (
    legacy and _OWN == "3"
  )
