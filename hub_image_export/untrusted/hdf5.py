# SPDX-License-Identifier: Apache-2.0
"""HDF5 files, and those in Keras' archives, before anything is read of them.

HDF5 can name any file of this machine as the place of a value, which would be
published with the module; it loads plug-ins for compressions that it does not
know; and a few bytes of it may stand for values of any size.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from typing import IO, Any

from hub_image_export.untrusted import limits

_MAGIC = b"\x89HDF\r\n\x1a\n"
_SUFFIX = ".h5"
# HDF5's own filters (compression, checksums), and lzf, which is h5py's.
_FILTERS = frozenset({1, 2, 3, 4, 5, 6, 32000})


def is_hdf5(path: str) -> bool:
  with open(path, "rb") as file:
    return file.read(len(_MAGIC)) == _MAGIC


def attribute(path: str, name: str) -> Any:
  """An attribute of the file; None where it has none, or is no HDF5 file."""
  import h5py  # TensorFlow and Keras depend on it.

  try:
    if not h5py.is_hdf5(path):
      return None
    with h5py.File(path, "r") as file:
      return file.attrs.get(name)
  except (OSError, RuntimeError):
    return None  # Keras cannot read it, either, and says so.


@contextlib.contextmanager
def opened_zip(path: str) -> Iterator[zipfile.ZipFile]:
  """An archive that holds no more than it may.

  Raises:
    ValueError: it holds more, or is damaged.
  """
  try:
    with zipfile.ZipFile(path) as archive:
      limits.check_zip(archive, os.path.getsize(path))
      yield archive
  except (KeyError, NotImplementedError, OSError, RuntimeError) as error:
    raise ValueError(f"an archive that cannot be read ({error})") from error
  except zipfile.BadZipFile as error:
    raise ValueError(f"a damaged archive ({error})") from error


@contextlib.contextmanager
def extracted(archive: zipfile.ZipFile, name: str) -> Iterator[IO[bytes]]:
  """A member as a file to look around in: a copy, without a name."""
  with archive.open(name) as member, tempfile.TemporaryFile() as file:
    shutil.copyfileobj(member, file)
    yield file


def problems(path: str) -> list[str]:
  """What an HDF5 file, or one in an archive, has that is no value of its own.

  What is neither, or is damaged, is left to whoever reads it.

  Raises:
    ValueError: an archive is damaged, or holds too much.
  """
  found = []
  if zipfile.is_zipfile(path):
    with opened_zip(path) as archive:
      for name in archive.namelist():
        if name.endswith(_SUFFIX):
          with extracted(archive, name) as file:
            found += _problems(file, os.path.getsize(path))
  return found + _problems(path, os.path.getsize(path))


def _problems(content: Any, stored: int) -> list[str]:
  """Of an HDF5 file: its path, or itself."""
  import h5py

  found: list[str] = []
  left = limits.max_bytes(stored)
  entries = 0

  def visit(place: str, item: Any) -> bool | None:
    nonlocal left, entries
    entries += 1
    if isinstance(item, h5py.Group):
      entries += len(item)
      for key in item if entries <= limits.MAX_ENTRIES else ():
        if isinstance(item.get(key, getlink=True), h5py.ExternalLink):
          found.append(f"{place}/{key} in another file")
    elif isinstance(item, h5py.Dataset):
      left -= item.nbytes
      found.extend(f"{place} {what}" for what in _problems_of(item))
    if entries > limits.MAX_ENTRIES:
      found.append(f"more than {limits.MAX_ENTRIES} entries")
    if left < 0:
      found.append(f"{place} of more bytes than such a file may hold")
    return True if entries > limits.MAX_ENTRIES or left < 0 else None

  try:
    with h5py.File(content, "r") as file:
      if visit("", file) is None:
        file.visititems(visit)
  except (KeyError, OSError, RuntimeError, TypeError):
    pass
  return found


def _problems_of(dataset: Any) -> Iterator[str]:
  if dataset.is_virtual or dataset.external:
    yield "in another file"
  properties = dataset.id.get_create_plist()
  for i in range(properties.get_nfilters()):
    if properties.get_filter(i)[0] not in _FILTERS:
      yield "with a compression of its own"
