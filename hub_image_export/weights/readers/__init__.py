# SPDX-License-Identifier: Apache-2.0
"""Weights from files, whatever wrote them: names, shapes, values on demand.

Each reader turns a file or directory into `NamedValues`, and nothing else
knows the formats.
"""

from __future__ import annotations

import os
import re
import zipfile

from hub_image_export import arguments, contract
from hub_image_export.errors import WeightsError
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.untrusted import hdf5
from hub_image_export.weights.readers import (
  keras_files,
  numpy_files,
  tensorflow_files,
)
from hub_image_export.weights.readers.named_values import NamedValues

__all__ = ["NamedValues", "open_values"]

_FORMATS = (
  "the prefix or the directory of a TensorFlow checkpoint, a SavedModel, a TF1 "
  "Hub module, an .npz file, or weights saved by Keras (.weights.h5, .h5, "
  ".keras)"
)
_CHECKPOINT_FILE = re.compile(r"(.+)\.(index|data-\d{5}-of-\d{5}|meta)")
_SAVED_MODEL_FILES = (contract.SAVED_MODEL_FILE, "saved_model.pbtxt")


def open_values(path: str | os.PathLike[str]) -> NamedValues:
  """Opens a checkpoint; what it is follows from its content.

  Args:
    path: the prefix of a TensorFlow checkpoint, or the name of any of its
      files; the directory of one (the latest counts), of a SavedModel or of a
      TF1 Hub module; an `.npz` file; weights saved by Keras.

  Raises:
    TypeError, ValueError: `path` is no local path.
    WeightsError: there is nothing, or nothing that could be read.
  """
  path = arguments.check_local_path("checkpoint_path", path, "a checkpoint")
  if os.path.isdir(path):
    return _open_directory(path)
  checkpoint_file = _CHECKPOINT_FILE.fullmatch(path)
  prefix = checkpoint_file[1] if checkpoint_file else path
  if os.path.exists(prefix + ".index"):
    return tensorflow_files.open_prefix(prefix)
  if checkpoint_file or _has_data_files(path):
    raise WeightsError(
      f"the checkpoint {prefix!r} has no index: expected the file "
      f"{os.path.basename(prefix)}.index beside its data. Copy all of its files"
    )
  if not os.path.exists(path):
    raise WeightsError(f"there is no checkpoint {path!r}: expected {_FORMATS}")
  return _open_file(path)


def _open_directory(path: str) -> NamedValues:
  files = os.listdir(path)
  prefix = os.path.join(path, *contract.VARIABLES_PREFIX.split("/"))
  if contract.MODULE_DEF_FILE in files:
    return tensorflow_files.open_prefix(prefix, "TF1 Hub module")
  if any(name in files for name in _SAVED_MODEL_FILES):
    return tensorflow_files.open_prefix(prefix, "SavedModel")
  return tensorflow_files.open_prefix(_latest(path, files))


def _latest(path: str, files: list[str]) -> str:
  """The prefix of the latest checkpoint, even where the directory moved."""
  latest = tf.train.latest_checkpoint(path)
  if latest:
    return latest
  try:
    state = tf.train.get_checkpoint_state(path)
  except tf.errors.OpError:
    state = None
  if state is not None:
    name = os.path.basename(state.model_checkpoint_path)
    if name + ".index" in files:
      return os.path.join(path, name)
  found = sorted(f[: -len(".index")] for f in files if f.endswith(".index"))
  if len(found) == 1:
    return os.path.join(path, found[0])
  if not found:
    raise WeightsError(
      f"the directory {path!r} has no checkpoints: expected {_FORMATS}"
    )
  raise WeightsError(
    f"the directory {path!r} has {len(found)} checkpoints "
    f"({', '.join(found[:5])}), and nothing says which counts: expected "
    f"{_FORMATS}"
  )


def _has_data_files(prefix: str) -> bool:
  directory, name = os.path.split(prefix)
  if not name or not os.path.isdir(directory or "."):
    return False
  return any(
    file.startswith(name + ".data-") for file in os.listdir(directory or ".")
  )


def _open_file(path: str) -> NamedValues:
  if hdf5.is_hdf5(path):
    return keras_files.open_hdf5(path)
  if zipfile.is_zipfile(path):
    members = _members(path)
    if any(name.endswith(".weights.h5") for name in members):
      return keras_files.open_keras(path)
    if members and all(name.endswith(".npy") for name in members):
      return numpy_files.open_npz(path)
  raise WeightsError(
    f"{path!r} is no file of weights that is known, or it is damaged: expected "
    f"{_FORMATS}"
  )


def _members(path: str) -> list[str]:
  try:
    with hdf5.opened_zip(path) as archive:
      return archive.namelist()
  except ValueError as error:
    raise WeightsError(f"{path!r} is {error}: expected {_FORMATS}") from error
