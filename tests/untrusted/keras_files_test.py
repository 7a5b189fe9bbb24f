# SPDX-License-Identifier: Apache-2.0
"""Files of models and weights run no code, and read no other file."""

from __future__ import annotations

import json
import os
import zipfile

import h5py
import numpy as np
import pytest

import hub_image_export as hie
from hub_image_export.sources import keras_files as model_files
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.untrusted import keras_files as saved_code
from hub_image_export.weights import readers as checkpoints

layers = tf.keras.layers


def _model(*inner):
  return tf.keras.Sequential(
    [
      tf.keras.Input([8, 8, 3]),
      layers.Conv2D(4, 3, activation="relu", kernel_regularizer="l2"),
      *inner,
      layers.GlobalAveragePooling2D(),
    ]
  )


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_lambda_is_refused_before_it_runs(suffix, tmp_path):
  """Keras 2 runs the bytecode in an HDF5 file without asking."""
  ran = str(tmp_path / "ran")
  layer = layers.Lambda(lambda x: (open(ran, "w").close(), x)[1])
  path = str(tmp_path / f"model{suffix}")
  _model(layer).save(path)
  if os.path.exists(ran):
    os.remove(ran)
  with pytest.raises(ValueError, match="a Lambda.*file.py:name"):
    model_files.load(path)
  assert not os.path.exists(ran)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_ordinary_models_are_let_be(suffix, tmp_path):
  path = str(tmp_path / f"model{suffix}")
  x = images = tf.keras.Input([32, 32, 3])
  x = layers.Rescaling(2.0, -1.0)(x) * 2.0 + 1.0
  x = layers.Conv2D(4, 3, activation=tf.keras.activations.swish)(x)
  x = layers.Dense(3, activation=tf.nn.relu6)(layers.Flatten()(x))
  tf.keras.Model(images, x).save(path)
  saved_code.refuse_keras_code(path)


@pytest.mark.parametrize("name", ["MobileNetV3Small", "EfficientNetB0"])
def test_applications_are_let_be(name, tmp_path):
  path = str(tmp_path / "model.keras")
  build = getattr(tf.keras.applications, name)
  build(weights=None, include_top=False, input_shape=[32, 32, 3]).save(path)
  saved_code.refuse_keras_code(path)


def _class(module, name, config=None):
  return {"module": module, "class_name": name, "config": config or {}}


@pytest.mark.parametrize(
  "item",
  [
    _class("os", "system"),
    _class("builtins", "exec"),
    _class("builtins", "function", "eval"),
    _class("subprocess", "function", "run"),
    _class("keras.utils", "function", "get_file"),
    _class("keras.config", "function", "enable_unsafe_deserialization"),
    _class("keras.saving", "function", "load_model"),
    _class("keras.src.utils.python_utils", "function", "func_load"),
    _class("keras.src.layers.core.lambda_layer", "function", "python_utils"),
    _class("keras.layers", "Lambda"),
    _class("keras.layers", "TFSMLayer", {"filepath": "/tmp/x"}),
    _class("keras.src.layers", "TorchModuleWrapper"),
    _class(None, "__lambda__"),
    _class(None, "TensorFlowOpLayer", {"node_def": "op: WriteFile"}),
    _class(None, "TFOpLambda", {"function": "io.write_file"}),
    _class(None, "TFOpLambda", {"function": "compat.v1.write_file"}),
    _class(None, "TFOpLambda", {"function": "py_function"}),
    _class(None, "TFOpLambda", {"function": "raw_ops.WriteFile"}),
    _class(None, "TFOpLambda", {"function": "saved_model.load"}),
    _class("keras.layers", "StringLookup", {"vocabulary": "/etc/passwd"}),
    _class("kerasx.layers", "Dense"),
    _class("my_package.layers", "Dense"),
  ],
  ids=str,
)
def test_what_reaches_beyond_layers_is_refused(item, tmp_path):
  path = tmp_path / "model.keras"
  with zipfile.ZipFile(path, "w") as archive:
    config = _class("keras", "Sequential", {"layers": [{"x": [item]}]})
    archive.writestr("config.json", json.dumps(config))
  with pytest.raises(ValueError, match="brings code along"):
    model_files.load(str(path))


def _external(folder, path):
  """Weights of which one stands in another file of the machine."""
  secret = folder / "secret"
  secret.write_bytes(b"s" * 64)
  model = _model()
  model.save_weights(path)
  with h5py.File(path, "r+") as file:
    places = []
    file.visititems(
      lambda place, item: (
        places.append(place)
        if isinstance(item, h5py.Dataset) and item.shape == (4,)
        else None
      )
    )
    del file[places[0]]
    file.create_dataset(
      places[0], (4,), np.float32, external=[(str(secret), 0, 16)]
    )
  return model


def test_values_in_other_files_are_refused(tmp_path):
  """They would be published with the module."""
  path = str(tmp_path / "model.weights.h5")
  model = _external(tmp_path, path)
  with pytest.raises(hie.WeightsError, match="from other files"):
    checkpoints.open_values(path)
  spec = hie.make_feature_vector_module(model, 8, 8)
  with pytest.raises(hie.WeightsError, match="from other files"):
    spec.export(tmp_path / "module", checkpoint_path=path)
  assert not (tmp_path / "module").exists()


def test_links_to_other_files_are_refused(tmp_path):
  other, path = tmp_path / "other.h5", tmp_path / "linked.h5"
  with h5py.File(other, "w") as file:
    file["secret"] = np.ones(4, np.float32)
  with h5py.File(path, "w") as file:
    file["group/value"] = h5py.ExternalLink(str(other), "secret")
  with pytest.raises(hie.WeightsError, match="group/value"):
    checkpoints.open_values(str(path))


def test_pickles_in_numpy_files_are_refused(tmp_path):
  ran = tmp_path / "ran"

  class Harm:
    def __reduce__(self):
      return open, (str(ran), "w")

  path = tmp_path / "weights.npz"
  np.savez(path, a=np.array([Harm()], dtype=object))
  with pytest.raises(hie.WeightsError, match="Python objects"):
    checkpoints.open_values(str(path))
  assert not ran.exists()
