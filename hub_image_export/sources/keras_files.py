# SPDX-License-Identifier: Apache-2.0
"""Saved Keras models, with errors that say which Keras can read them."""

from __future__ import annotations

import json
import os
import zipfile
from typing import Any

from hub_image_export import errors
from hub_image_export.tensorflow_api import keras_packages
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.types import KerasModel
from hub_image_export.untrusted import (
  hdf5,
  keras_files as saved_code,
  limits,
)
from hub_image_export.weights.readers import keras_files

_OWN_CLASSES = (
  "If it has classes or functions of your own, load it in a Python file, where "
  "they are defined, and give --model=file.py:name"
)


def load(path: str) -> KerasModel:
  """Reads the model that `model.save` wrote to `.keras`, `.h5` or `.hdf5`.

  Raises:
    ValueError: there is no such file, it has weights only, it would run code
      of its own, or this Keras cannot read it; the message says which one
      could.
    WeightsError: it takes values from other files.
  """
  if path.endswith(".weights.h5"):
    raise ValueError(_weights_only(path))
  if not os.path.isfile(path):
    raise ValueError(f"{path!r} is no file: expected a model that Keras saved")
  if not zipfile.is_zipfile(path) and not hdf5.is_hdf5(path):
    raise ValueError(
      f"{path!r} is no file that Keras saves, or not all of one: expected a "
      "whole .keras or HDF5 file. Save or copy it again"
    )
  keras_files.refuse_foreign_data(path)
  try:
    saved_code.refuse_keras_code(path)
  except ValueError as error:
    # Another Keras has other names for its parts.
    hint = _hint(_saved_by(path))
    raise ValueError(
      str(error) + (f". {hint}" if hint != _OWN_CLASSES else "")
    ) from None
  most = limits.max_bytes(os.path.getsize(path))
  try:
    with keras_packages.weights_take_at_most(most):
      return tf.keras.models.load_model(path, compile=False)
  except Exception as error:  # Keras raises whatever its readers raise.
    if "No model config found" in str(error):
      raise ValueError(_weights_only(path)) from error
    raise ValueError(
      f"{path!r} cannot be read by Keras {keras_packages.version()} "
      f"({errors.first_line(error)}): expected a model that it knows. "
      f"{_hint(_saved_by(path))}"
    ) from error


def _weights_only(path: str) -> str:
  return (
    f"{path!r} has weights only: expected the model that they belong to. Give "
    "that, and this file with --checkpoint (for a Keras Application: --weights)"
  )


def _hint(saved_by: str | None) -> str:
  """What to do about a file that was saved by some version of Keras."""
  if saved_by is None or saved_by[:2] == keras_packages.version()[:2]:
    return _OWN_CLASSES
  if saved_by.startswith("2."):
    return (
      f"It was saved by Keras {saved_by}: install tf_keras and set "
      "TF_USE_LEGACY_KERAS=1 in the environment, or use TensorFlow 2.15"
    )
  return (
    f"It was saved by Keras {saved_by}: use TensorFlow 2.16 or later, without "
    "TF_USE_LEGACY_KERAS"
  )


def _saved_by(path: str) -> str | None:
  """The version of Keras that saved a file, None if it does not say."""
  try:
    if zipfile.is_zipfile(path):
      with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read(keras_packages.METADATA_MEMBER))[
          keras_packages.VERSION_KEY
        ]
    return _saved_by_hdf5(path)
  except (KeyError, OSError, ValueError, zipfile.BadZipFile):
    return None


def _saved_by_hdf5(path: str) -> Any:
  import h5py  # Keras depends on it; we need it for the hint alone.

  with h5py.File(path, "r") as file:
    return file.attrs[keras_packages.VERSION_KEY]
