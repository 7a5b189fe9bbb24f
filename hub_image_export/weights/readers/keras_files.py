# SPDX-License-Identifier: Apache-2.0
"""Keras' own files by the names that stand in them.

`.weights.h5`, legacy `.h5`, and the weights inside of `.keras`. Which value
belongs to which variable only Keras itself knows for sure: `keras_model`
asks it, where there is a model. Here are the names for all other sources.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import zipfile
from collections.abc import Iterator
from typing import Any

from hub_image_export.errors import WeightsError
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.keras_packages import (
  WEIGHTS_GROUPS,
  WEIGHTS_MEMBER,
)
from hub_image_export.weights.readers.named_values import NamedValues

KIND = "Keras file"
_MAGIC = b"\x89HDF\r\n\x1a\n"
_BOOKKEEPING = ("optimizer", "metrics/")


def is_hdf5(path: str) -> bool:
  with open(path, "rb") as file:
    return file.read(len(_MAGIC)) == _MAGIC


def refuse_foreign_data(path: str) -> None:
  """Raises WeightsError if a Keras file takes values from other files.

  HDF5 can name any file of this machine as the place of a value, which would
  be published with the module. What is no Keras file is let be.
  """
  names = [name for read in (_in_zip, _in_hdf5) for name in read(path)]
  if names:
    raise WeightsError(
      f"the Keras file {os.fspath(path)!r} takes values from other files "
      f"({', '.join(names[:3])}): expected its own alone. Save it again"
    )


def _in_zip(path: str) -> list[str]:
  try:
    with (
      zipfile.ZipFile(path) as archive,
      archive.open(WEIGHTS_MEMBER) as content,
    ):
      return _foreign(content)
  except (KeyError, OSError, RuntimeError, zipfile.BadZipFile):
    return []  # It is none; or whoever reads it says what is wrong.


def _in_hdf5(path: str) -> list[str]:
  try:
    return _foreign(path)
  except (OSError, RuntimeError):
    return []


def _foreign(content: Any) -> list[str]:
  """The values in an HDF5 file (its path, or itself) that stand elsewhere."""
  import h5py

  found: list[str] = []

  def visit(place: str, item: Any) -> None:
    if isinstance(item, h5py.Group):
      links = ((key, item.get(key, getlink=True)) for key in item)
      found.extend(
        f"{place}/{key}"
        for key, link in links
        if isinstance(link, h5py.ExternalLink)
      )
    elif item.is_virtual or item.external:
      found.append(place)

  with h5py.File(content, "r") as file:
    visit("", file)
    file.visititems(visit)
  return found


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
  def extracted() -> Iterator[str]:
    with (
      tempfile.TemporaryDirectory() as directory,
      zipfile.ZipFile(path) as archive,
    ):
      yield archive.extract(WEIGHTS_MEMBER, directory)

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
    except OSError as error:
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
    f"the Keras file {os.fspath(path)!r} cannot be read: {error}"
  )
