# SPDX-License-Identifier: Apache-2.0
"""`.npz` files: a zip archive with one array for each name."""

from __future__ import annotations

import math
import zipfile
from typing import Any

import numpy as np

from hub_image_export.errors import WeightsError
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.weights.readers.named_values import NamedValues

_SUFFIX = ".npy"
_ERRORS = (EOFError, OSError, ValueError, zipfile.BadZipFile)


def open_npz(path: str) -> NamedValues:
  """Opens what `np.savez` wrote; arrays are read when they are asked for.

  Raises:
    WeightsError: it is damaged, or has Python objects in it.
  """
  try:
    with zipfile.ZipFile(path) as archive:
      specs = {
        name[: -len(_SUFFIX)]: _spec(archive, name)
        for name in archive.namelist()
      }
  except (*_ERRORS, TypeError) as error:
    raise WeightsError(
      f"{path!r} cannot be read ({error}): expected an .npz file of numbers. "
      "Is it whole? Save it again with numpy.savez"
    ) from error

  def read(name: str) -> Any:
    try:
      with zipfile.ZipFile(path) as archive, archive.open(name + _SUFFIX) as f:
        return np.lib.format.read_array(f, allow_pickle=False)
    except _ERRORS as error:
      raise WeightsError(
        f"the value of {name!r} in {path!r} cannot be read ({error}): expected "
        "numbers. Is it whole? Save it again with numpy.savez"
      ) from error

  return NamedValues(path, ".npz file", specs, read)


def _spec(archive: zipfile.ZipFile, name: str) -> Any:
  """Shape and dtype from an array's header.

  Raises:
    TypeError: it has a type that TensorFlow does not have.
  """
  with archive.open(name) as file:
    version = np.lib.format.read_magic(file)
    read_header = (
      np.lib.format.read_array_header_1_0
      if version == (1, 0)
      else np.lib.format.read_array_header_2_0
    )
    shape, _, dtype = read_header(file)
  if dtype.hasobject:
    raise TypeError(f"{name!r} has Python objects, not numbers")
  if math.prod(shape) * dtype.itemsize > archive.getinfo(name).file_size:
    raise ValueError(f"{name!r} of shape {shape} is not whole")
  return tf.TensorSpec(shape, tf.as_dtype(dtype), name)
