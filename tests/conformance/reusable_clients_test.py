# SPDX-License-Identifier: Apache-2.0
"""Reusable SavedModels in the hands of programs that nobody here wrote."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from hub_image_export.tensorflow_api.compat import tf
from tests.support import models, reusable_probe, tf115
from tests.support.keras_sources import HAS_KERAS_2

pytestmark = pytest.mark.slow
_ROOT = pathlib.Path(__file__).resolve().parents[2]
_HUB_0_16 = os.environ.get("HIE_HUB016_PATH")
_TFJS = os.environ.get("HIE_TFJS")


@pytest.fixture(scope="module", params=["tf1", "two_tasks", "variable_size"])
def module(request, exports, tmp_path_factory):
  """A model, its path, an object, images and what the object gives."""
  model = models.by_name(request.param)
  path = str(tmp_path_factory.mktemp(request.param) / "module")
  exports(model).spec.export_saved_model(path)
  obj = tf.saved_model.load(path)
  images = reusable_probe.images(0, *model.height_and_width)
  return model, path, images, obj(images).numpy()


def _run(*arguments, python=sys.executable, **environment):
  done = subprocess.run(
    [python, *map(str, arguments)],
    cwd=_ROOT,
    env={**os.environ, "PYTHONPATH": "", **environment},
    capture_output=True,
    text=True,
    timeout=300,
  )
  assert done.returncode == 0, done.stderr[-3000:]
  return done.stdout


def _keras_layer(module, python=sys.executable, **environment):
  model, path, *_ = module
  if not model.endpoints:
    pytest.skip("It has no endpoints.")
  _run(
    "-m", "tests.support.keras_layer_probe", path, *model.height_and_width,
    model.endpoints[0], "image_feature_vector",
    python=python, **environment,
  )  # fmt: skip


@pytest.mark.skipif(
  not HAS_KERAS_2, reason="hub.KerasLayer of hub 0.15 is for Keras 2."
)
def test_keras_layer_of_hub_0_15(module):
  _keras_layer(module)


@pytest.mark.skipif(not _HUB_0_16, reason="HIE_HUB016_PATH names no hub 0.16.")
def test_keras_layer_of_hub_0_16(module):
  _keras_layer(module, PYTHONPATH=_HUB_0_16, TF_USE_LEGACY_KERAS="1")


@tf115.needs_tf115
def test_keras_layer_of_hub_0_12(module):
  _keras_layer(module, python=tf115.PYTHON)


def test_saved_model_cli(module):
  _, path, *_ = module
  said = _run(
    "-m", "tensorflow.python.tools.saved_model_cli",
    *("show", "--dir", path, "--all"),
  )  # fmt: skip
  assert "signature_def['serving_default']" in said
  assert "(-1, " in said


def test_tflite(module):
  model, path, images, expected = module
  converter = tf.lite.TFLiteConverter.from_saved_model(path)
  interpreter = tf.lite.Interpreter(model_content=converter.convert())
  (taken,) = interpreter.get_input_details()
  interpreter.resize_tensor_input(taken["index"], images.shape)
  interpreter.allocate_tensors()
  interpreter.set_tensor(taken["index"], images.numpy())
  interpreter.invoke()
  (given,) = interpreter.get_output_details()
  found = interpreter.get_tensor(given["index"])
  np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


def test_onnx(module, tmp_path):
  pytest.importorskip("tf2onnx")
  onnxruntime = pytest.importorskip("onnxruntime")

  _, path, images, expected = module
  onnx = tmp_path / "model.onnx"
  _run("-m", "tf2onnx.convert", "--saved-model", path, "--output", onnx)
  session = onnxruntime.InferenceSession(str(onnx))
  (taken,) = session.get_inputs()
  (found,) = session.run(None, {taken.name: images.numpy()})
  np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.skipif(
  not _TFJS, reason="HIE_TFJS names no TensorFlow.js: see CONTRIBUTING.md."
)
def test_tensorflowjs(module, tmp_path):
  _, path, images, expected = module
  _run(
    "--input_format=tf_saved_model", path, tmp_path / "converted",
    python=f"{_TFJS}/bin/tensorflowjs_converter",
  )  # fmt: skip
  batch = tmp_path / "images.json"
  batch.write_text(json.dumps(images.numpy().tolist()))
  said = _run(
    _ROOT / "tests/support/tfjs_probe.js", tmp_path / "converted", batch,
    python="node", NODE_PATH=f"{_TFJS}/node_modules",
  )  # fmt: skip
  found = json.loads(said.splitlines()[-1])
  np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.skipif(HAS_KERAS_2, reason="TFSMLayer is of Keras 3.")
def test_keras_3(module):
  """TFSMLayer, which knows no penalties, and the layer in examples."""
  from examples.keras3_layer import ReusableModule

  _, path, images, expected = module
  layers = tf.keras.layers
  plain = layers.TFSMLayer(path, call_training_endpoint="train")
  ours = ReusableModule(path)
  model = tf.keras.Sequential([tf.keras.Input(images.shape[1:]), ours])
  obj = tf.saved_model.load(path)
  for layer in (plain, ours, model):
    np.testing.assert_allclose(layer(images), expected, rtol=1e-5)
    assert len(layer.trainable_weights) == len(obj.trainable_variables)
    assert len(layer.weights) == len(obj.variables)
  model.compile("sgd", "mse")
  target = np.zeros_like(expected)
  history = model.fit(images, target, epochs=3, verbose=0, batch_size=4)
  losses = history.history["loss"]
  first = float(np.mean(obj(images, training=True) ** 2))
  first += sum(float(p()) for p in obj.regularization_losses)
  np.testing.assert_allclose(losses[0], first, rtol=1e-4)
  frozen = ReusableModule(path, trainable=False)
  assert not reusable_probe.moved(
    list(frozen.module.variables), lambda: frozen(images, training=True)
  )
  again = ReusableModule.from_config(ours.get_config())
  np.testing.assert_allclose(again(images), expected, rtol=1e-5)
