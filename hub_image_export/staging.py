"""A module directory either is complete or is not there (F6).

A module is written to a directory of its own beside the target, and renamed
when it is whole. An old module stays until the new one takes its place in one
exchange.
"""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
import shutil
import stat
from typing import Any

from absl import logging

from hub_image_export.errors import ExportError

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


class Staging:
  """A directory in the making; use it as a context manager.

  Attributes:
    path: where to write. `commit` makes it the target.
  """

  def __init__(
    self, target: str | os.PathLike[str], *, overwrite: bool = False
  ) -> None:
    """Checks the target; nothing is written yet.

    Raises:
      TypeError, ValueError: `target` is no local path.
      ExportError: it exists and may not be replaced, or is no directory.
    """
    self._target = os.path.abspath(_local_path(target))
    self._overwrite = overwrite
    self._check_target()
    self._parent, name = os.path.split(self._target)
    self.path = os.path.join(
      self._parent, f".{name[:200]}.staging-{secrets.token_hex(6)}"
    )
    self._made_parents: list[str] = []

  def __enter__(self) -> Staging:
    try:
      self._make_parents()
      os.mkdir(self.path)
    except OSError as error:
      self._clean_up()
      raise ExportError(
        f"cannot write to {self._parent!r}: {error.strerror}. Choose an export "
        "path in a directory where you may write"
      ) from error
    return self

  def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
    self._clean_up()
    if isinstance(error, OSError):
      raise ExportError(
        f"the module could not be written to {self._target!r}: {error}. "
        "Nothing was left behind"
      ) from error

  def commit(self) -> None:
    """Puts the module into place, in one step."""
    self._check_target()
    if os.path.lexists(self._target):
      replace_module(self.path, self._target)
    else:
      os.rename(self.path, self._target)
    self._made_parents.clear()

  def _check_target(self) -> None:
    if not os.path.lexists(self._target):
      return
    if os.path.islink(self._target) or not os.path.isdir(self._target):
      raise ExportError(
        f"{self._target!r} exists and is no directory: choose another path"
      )
    if not os.listdir(self._target):
      return
    if not self._overwrite:
      raise ExportError(
        f"{self._target!r} exists: published modules are immutable (F6). "
        "Choose another path, or replace it with overwrite=True (--overwrite)"
      )
    if not os.path.exists(os.path.join(self._target, "saved_model.pb")):
      raise ExportError(
        f"{self._target!r} holds something that is no module: it is not "
        "replaced. Choose another path, or empty the directory"
      )

  def _make_parents(self) -> None:
    missing, parent = [], self._parent
    while not os.path.isdir(parent):
      missing.append(parent)
      parent = os.path.dirname(parent)
    for parent in reversed(missing):
      os.mkdir(parent)
      self._made_parents.insert(0, parent)

  def _clean_up(self) -> None:
    shutil.rmtree(self.path, ignore_errors=True)
    for parent in self._made_parents:
      try:
        os.rmdir(parent)
      except OSError:
        break  # Somebody else uses it by now.


def _local_path(path: str | os.PathLike[str]) -> str:
  if not isinstance(path, (str, os.PathLike)):
    raise TypeError(
      f"the export path is of type {type(path).__name__}: expected a string"
    )
  path = os.fspath(path)
  if not path:
    raise ValueError("the export path is empty: expected a directory")
  if "://" in path:
    raise ValueError(
      f"the export path {path!r} is not local: a module is put into place by a "
      "rename, which remote file systems do not have. Export to a local "
      "directory and copy that"
    )
  return path


def replace_module(new: str, old: str) -> None:
  """Lets `new` take the place of the directory `old`, and deletes `old`.

  Linux exchanges the two in one step. Elsewhere, and on file systems without
  that call, `old` is renamed away first: for that moment neither is there.
  """
  if _exchange(new, old):
    shutil.rmtree(new, ignore_errors=True)
    return
  away = f"{new}-old"
  os.rename(old, away)
  try:
    os.rename(new, old)
  except OSError:
    os.rename(away, old)
    raise
  shutil.rmtree(away, ignore_errors=True)


def _exchange(a: str, b: str) -> bool:
  try:
    renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
  except (AttributeError, OSError):
    return False
  arguments = os.fsencode(a), os.fsencode(b)
  if not renameat2(
    _AT_FDCWD, arguments[0], _AT_FDCWD, arguments[1], _RENAME_EXCHANGE
  ):
    return True
  code = ctypes.get_errno()
  if code in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
    logging.info("This file system cannot exchange directories in one step")
    return False
  raise OSError(code, os.strerror(code), b)


def directory_size(path: str) -> int:
  """Bytes of all regular files below `path`."""
  total = 0
  for folder, _, files in os.walk(path):
    for name in files:
      status = os.lstat(os.path.join(folder, name))
      total += status.st_size if stat.S_ISREG(status.st_mode) else 0
  return total
