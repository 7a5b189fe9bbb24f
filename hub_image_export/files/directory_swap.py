# SPDX-License-Identifier: Apache-2.0
"""Directories that take another's place, and are on the disk when they do."""

from __future__ import annotations

import ctypes
import errno
import os

from absl import logging

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_NO_EXCHANGE = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM)


def replace_directory(new: str, target: str, away: str) -> None:
  """Lets `new` take the place of `target`.

  Linux exchanges the two in one step: the old directory is at `new` then.
  Elsewhere, and on file systems without that call, `target` is renamed to
  `away` first: between the two renames neither is at `target`. It is up to the
  caller to put it back if the second one fails.

  Raises:
    OSError: it cannot be renamed.
  """
  if not _exchange(new, target):
    os.rename(target, away)
    os.rename(new, target)


def _exchange(a: str, b: str) -> bool:
  """Whether the two were exchanged; False where there is no such call."""
  try:
    renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
  except (AttributeError, OSError, TypeError):
    return False
  arguments = os.fsencode(a), os.fsencode(b)
  if not renameat2(
    _AT_FDCWD, arguments[0], _AT_FDCWD, arguments[1], _RENAME_EXCHANGE
  ):
    return True
  code = ctypes.get_errno()
  if code in _NO_EXCHANGE:
    logging.info("This file system cannot exchange directories in one step")
    return False
  raise OSError(code, os.strerror(code), b)


def sync_tree(directory: str) -> None:
  """Waits until all below `directory`, and itself, is on the disk.

  A rename may reach the disk before the files do: without this a power cut
  could leave a module of empty files. Network file systems tell here, if not
  before, that the disk is full.

  Raises:
    OSError: it cannot be written.
  """
  for folder, _, files in os.walk(directory, topdown=False):
    for name in files:
      _sync(os.path.join(folder, name))
    sync_directory(folder)


def sync_directory(directory: str) -> None:
  """Waits until the names in a directory are on the disk."""
  try:
    _sync(directory)
  except OSError as error:
    # Some file systems have no such thing; they may not even open it.
    if error.errno not in (errno.EINVAL, errno.EACCES, errno.EISDIR):
      raise


def _sync(path: str) -> None:
  file = os.open(path, os.O_RDONLY)
  try:
    os.fsync(file)
  finally:
    os.close(file)
