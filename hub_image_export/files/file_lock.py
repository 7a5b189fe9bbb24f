# SPDX-License-Identifier: Apache-2.0
"""Locks that the kernel lets go of when their process dies."""

from __future__ import annotations

import errno
import os

try:
  import fcntl
except ImportError:  # Windows: nothing is locked.
  fcntl = None  # type: ignore[assignment]

# For `os.open` of a file that is to be locked; links are not followed.
FLAGS = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0)


def take(lock: int) -> bool | None:
  """Locks an open file.

  Returns:
    Whether it was free, and is ours now; None where there are no locks.
  """
  if fcntl is None:
    return None
  try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except OSError as error:
    taken = error.errno in (errno.EWOULDBLOCK, errno.EACCES)
    return False if taken else None
  return True


def is_at(lock: int, path: str) -> bool:
  """Whether the open file still is the one at `path`."""
  try:
    return os.path.samestat(os.fstat(lock), os.lstat(path))
  except FileNotFoundError:
    return False
