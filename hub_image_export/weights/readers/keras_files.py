# SPDX-License-Identifier: Apache-2.0
"""Keras' own files by the names that stand in them.

`.weights.h5`, legacy `.h5`, and the weights inside of `.keras`. Which value
belongs to which variable only Keras itself knows for sure: `keras_model`
asks it, where there is a model. Here are the names for all other sources.
"""

from __future__ import annotations

import contextlib
import os
import zipfile
from collections.abc import Iterator
from typing import Any

from hub_image_export.errors import WeightsError
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.keras_packages import (
  WEIGHTS_GROUPS,
  WEIGHTS_MEMBER,
)
from hub_image_export.untrusted import hdf5
from hub_image_export.weights.readers.named_values import NamedValues

KIND = "Keras file"
_BOOKKEEPING = ("optimizer", "metrics/")


def refuse_foreign_data(path: str) -> None:
  """Raises WeightsError if a Keras file has more than values of its own.

  It may take them from other files, or have too many. What is no Keras file is
  passed over.
  """
  try:
    problems = hdf5.problems(path)
  except ValueError as error:
    raise _unreadable(path, error) from error
  if problems:
    raise WeightsError(
      f"the Keras file {os.fspath(path)!r} has values that are not its own: "
      f"{', '.join(problems[:3])}. Expected values in the file itself. Save it "
      "again"
    )


def open_hdf5(path: str) -> NamedValues:
  """Opens an HDF5 file of weights.

  A value is called by its place in the file; in legacy files the variables'
  own names are aliases (`conv/kernel` for `conv/conv/kernel:0`).

  Raises:
    WeightsError: it is damaged.
  """
  return _named(path, lambda: contextlib.nullcontext(path))


def open_keras(path: str) -> NamedValues:
  """Opens the weights inside of a `.keras` file."""

  @contextlib.contextmanager
  def extracted() -> Iterator[Any]:
    with (
      zipfile.ZipFile(path) as archive,
      hdf5.extracted(archive, WEIGHTS_MEMBER) as file,
    ):
      yield file

  return _named(path, extracted)


def _named(path: str, local) -> NamedValues:
  import h5py  # TensorFlow and Keras depend on it.

  refuse_foreign_data(path)
  places: dict[str, str] = {}
  specs: dict[str, Any] = {}
  aliases: dict[str, str] = {}

  def visit(place: str, item: Any) -> None:
    if isinstance(item, h5py.Dataset):
      name = _without_root(place)
      places[name] = place
      specs[name] = tf.TensorSpec(item.shape, tf.as_dtype(item.dtype), name)
      short = name.partition("/")[2].partition(":")[0]
      if "/" in short and short not in aliases:
        aliases[short] = name

  def read(name: str) -> Any:
    try:
      with local() as file_path, h5py.File(file_path, "r") as file:
        return file[places[name]][()]
    except (OSError, RuntimeError, TypeError) as error:
      raise _unreadable(path, error) from error

  try:
    with local() as file_path, h5py.File(file_path, "r") as file:
      file.visititems(visit)
  except (KeyError, OSError, RuntimeError, TypeError) as error:
    raise _unreadable(path, error) from error
  return NamedValues(
    path=path,
    kind=KIND,
    specs=specs,
    read=read,
    aliases={k: v for k, v in aliases.items() if k not in specs},
    bookkeeping=frozenset(n for n in specs if n.startswith(_BOOKKEEPING)),
  )


def _without_root(place: str) -> str:
  for root in WEIGHTS_GROUPS:
    if place.startswith(root):
      return place[len(root) :]
  return place


def _unreadable(path: str, error: Exception) -> WeightsError:
  return WeightsError(
    f"the Keras file {os.fspath(path)!r} cannot be read ({error}): expected "
    "what Keras saved. Is it whole? Save or copy it again"
  )
