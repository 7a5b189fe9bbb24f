# SPDX-License-Identifier: Apache-2.0
"""The files of a module: which there are, how large, with which hashes."""

from __future__ import annotations

import hashlib
import os
import stat


def files_of(module: str) -> list[str]:
  """Relative paths of all files of a module, with slashes, sorted."""
  found = []
  for folder, folders, names in os.walk(module):
    links = [f for f in folders if os.path.islink(os.path.join(folder, f))]
    for name in [*names, *links]:
      path = os.path.relpath(os.path.join(folder, name), module)
      found.append(path.replace(os.sep, "/"))
  return sorted(found)


def directory_size(path: str) -> int:
  """Bytes of all regular files below `path`."""
  status = [os.lstat(os.path.join(path, name)) for name in files_of(path)]
  return sum(s.st_size for s in status if stat.S_ISREG(s.st_mode))


def sha256_of(path: str) -> str:
  """Of a file's bytes, as hexadecimal digits."""
  digest = hashlib.sha256()
  with open(path, "rb") as file:
    while chunk := file.read(2**20):
      digest.update(chunk)
  return digest.hexdigest()
