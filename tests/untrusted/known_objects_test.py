# SPDX-License-Identifier: Apache-2.0
"""Each layer of the installed Keras loads, or is refused by its name."""

from __future__ import annotations

import inspect
import json
import os
import pathlib
import subprocess
import sys
import zipfile

import pytest

from hub_image_export.sources import keras_files as model_files
from hub_image_export.tensorflow_api import private
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.untrusted import known_objects

layers = tf.keras.layers
_CODE = (
  "FlaxLayer", "JaxLayer", "Lambda", "Layer", "TFSMLayer", "TorchModuleWrapper",
  "Wrapper", "DenseFeatures",
)  # fmt: skip
_SHAPES = [(8, 8, 3), (8, 3), (3,), (4, 8, 8, 3), (2, 4, 8, 3)]
# What a constructor may need, by the names of its parameters.
_NEEDED = {
  "activation": "relu", "alpha": 0.5, "axes": 1, "bin_boundaries": [0.0],
  "cells": lambda: [layers.LSTMCell(2)], "cell": lambda: layers.LSTMCell(2),
  "cropping": 1, "dims": None, "equation": "...x,xy->...y", "factor": 0.2,
  "filters": 2, "height": 4, "height_factor": 0.2, "input_dim": 4,
  "kernel_size": 2, "key_dim": 2, "layer": lambda: layers.Dense(2),
  "layers": lambda: [layers.Rescaling(2.0)], "max_number": 4, "n": 2,
  "num_bins": 4, "num_heads": 2, "num_tokens": 4, "offset": 0.0,
  "output_dim": 2, "output_shape": None, "output_size": 2, "pool_size": 2,
  "rate": 0.2,
  "scale": 2.0, "stddev": 0.2, "target_shape": (-1,), "units": 2, "width": 4,
  "width_factor": 0.2, "head_dim": 2, "num_query_heads": 2,
  "num_key_value_heads": 1, "lower": 0.0, "upper": 1.0, "mode": "fft",
}  # fmt: skip


def _classes():
  return sorted(
    name
    for name, value in vars(layers).items()
    if inspect.isclass(value) and issubclass(value, layers.Layer)
  )


def _made(kind):
  """An instance; TypeError where nothing here tells how."""
  parameters = inspect.signature(kind.__init__).parameters.values()
  needed = {
    p.name: _NEEDED[p.name]
    for p in parameters
    if p.default is p.empty
    and p.kind is p.POSITIONAL_OR_KEYWORD
    and p.name != "self"
    and p.name in _NEEDED
  }
  return kind(**{k: v() if callable(v) else v for k, v in needed.items()})


def _saved(name, path):
  """A model of the layer, or at least a description of one."""
  for shape in _SHAPES:
    try:
      model = tf.keras.Sequential(
        [tf.keras.Input(shape), _made(vars(layers)[name])]
      )
      model.save(path)
      tf.keras.models.load_model(path, compile=False)
      return True
    except Exception:  # noqa: S112, another shape may do.
      continue
  config = {"module": "keras.layers", "class_name": name, "config": {}}
  with zipfile.ZipFile(path, "w") as archive:
    archive.writestr("config.json", json.dumps(config))
  return False


def test_each_layer_loads_or_is_refused_by_its_name(tmp_path):
  loaded = []
  for name in _classes():
    path = str(tmp_path / f"{name}.keras")
    good = _saved(name, path)
    if name in _CODE:
      with pytest.raises(ValueError, match=rf"could run code.*\b{name}\b"):
        model_files.load(path)
    elif good:
      model_files.load(path)
      loaded.append(name)
    else:
      with pytest.raises(ValueError, match="cannot be read"):
        model_files.load(path)
  print(
    f"{len(loaded)} of {len(_classes())} loaded; not",
    *sorted(set(_classes()) - set(loaded)),
  )
  assert len(loaded) > 0.7 * len(_classes())


def test_listed_functions_are_what_keras_2_finds():
  """By the table of public names; lists are of use only if names exist."""
  for space, names in known_objects.names()["tensorflow"].items():
    paths = [f"{space}.{name}".lstrip(".") for name in names]
    missing = [path for path in paths if private.symbol(path) is None]
    assert len(missing) < 0.3 * len(paths) + 1, missing
    for path in set(paths) - set(missing):
      assert known_objects.is_function(path)
  assert private.symbol("no.such.name") is None


@pytest.mark.parametrize(
  "symbol", ["io.write_file", "py_function", "load_op_library", "no.such", None]
)
def test_other_functions_are_not(symbol):
  assert not known_objects.is_function(symbol)


def test_nothing_is_imported_to_find_a_name():
  assert known_objects.find("antigravity.x") is None
  assert known_objects.find("keras.no_such_module.x") is None
  assert "antigravity" not in sys.modules


def test_names_of_other_objects_are_found_but_not_known():
  assert known_objects.find("tensorflow.io.write_file") is not None
  assert not known_objects.is_known("tensorflow.io", "write_file")
  assert not known_objects.is_known("keras.layers", "Lambda")
  assert known_objects.is_known("keras", "layers.Dense")
  assert known_objects.is_known("keras.layers", "Dense")


@pytest.mark.slow
def test_with_an_old_keras_3(tmp_path):
  """Keras 3.5 refuses less by itself than the newest.

  The environment variable names the Python of an environment with
  TensorFlow 2.16 to 2.21 and `pip install keras==3.5.*` after it.
  """
  python = os.environ.get("HIE_KERAS35_PYTHON")
  if not python:
    pytest.skip("HIE_KERAS35_PYTHON names no Python with Keras 3.5")
  folder = pathlib.Path(__file__).parent
  done = subprocess.run(
    [python, "-m", "pytest", "-q", "-p", "no:cacheprovider",
     f"{folder}/keras_files_test.py", f"{folder}/known_objects_test.py"],
    capture_output=True, text=True, timeout=900, cwd=folder.parent.parent,
  )  # fmt: skip
  assert done.returncode == 0, done.stdout[-3000:]
