# SPDX-License-Identifier: Apache-2.0
"""A file that appears when it is complete, and harms none that is there."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterator
from typing import BinaryIO

from hub_image_export import arguments
from hub_image_export.arguments import called
from hub_image_export.errors import ExportError
from hub_image_export.files import file_lock


def check_new_file(
  path: str, suffix: str, *, overwrite: bool = False, name: str = "path"
) -> None:
  """Whether a file may be put there.

  Raises:
    ValueError: its name does not end in `suffix`.
    ExportError: there is no such directory, or the file exists, and is no file
      or may not be replaced.
  """
  if not path.endswith(suffix) or os.path.basename(path) == suffix:
    raise arguments.wrong_value(name, path, f"a name that ends in {suffix}")
  folder = os.path.dirname(os.path.abspath(path))
  if not os.path.isdir(folder):
    raise ExportError(
      f"{name} is {path!r}, and there is no directory {folder!r}: expected "
      "one. Make it, or choose another path"
    )
  if not os.path.lexists(path):
    return
  if not os.path.isfile(path) or os.path.islink(path):
    raise ExportError(
      f"{name} is {path!r}, which exists and is no file: expected none, "
      "or a file. Choose another path"
    )
  if not overwrite:
    raise ExportError(
      f"{name} is {path!r}, which exists: published versions are immutable "
      "(F6). Choose another path, or replace it with "
      f"{called('overwrite', True)}"
    )


@contextlib.contextmanager
def new_file(
  path: str, suffix: str, *, overwrite: bool = False
) -> Iterator[BinaryIO]:
  """Yields a file to write to; at the end it is put at `path`.

  Raises:
    ValueError, ExportError: as `check_new_file`, or it cannot be written.
  """
  check_new_file(path, suffix, overwrite=overwrite)
  folder, name = os.path.split(os.path.abspath(path))
  prefix = f".{hashlib.sha256(os.fsencode(name)).hexdigest()[:16]}.staging-"
  _remove_stale(folder, prefix)
  temporary = os.path.join(folder, prefix + secrets.token_hex(6))
  try:
    with open(temporary, "xb") as file:
      file_lock.take(file.fileno())
      yield file
      file.flush()
      os.fsync(file.fileno())
    check_new_file(path, suffix, overwrite=overwrite)
    os.replace(temporary, path)
  except OSError as error:
    raise ExportError(
      f"cannot write {path!r}: {error.strerror}. Choose a path in a directory "
      "where you may write"
    ) from error
  finally:
    if os.path.lexists(temporary):
      os.remove(temporary)


def _remove_stale(folder: str, prefix: str) -> None:
  """Removes what a killed process left: files whose locks can be had."""
  for name in os.listdir(folder):
    if not name.startswith(prefix):
      continue
    path = os.path.join(folder, name)
    with contextlib.suppress(OSError):
      lock = os.open(path, file_lock.FLAGS)
      try:
        # A file without anything in it may not have its lock yet.
        if os.path.getsize(path) and file_lock.take(lock):
          os.remove(path)
      finally:
        os.close(lock)
