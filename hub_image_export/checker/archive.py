"""Unpacks an archive that nobody vouches for.

Only plain files and directories with relative names are taken. Python's own
`extractall` filters came with 3.12 and know no limits of size.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import shutil
import tarfile
import zlib
from typing import IO, Any

MAX_MEMBERS = 10_000
MAX_BYTES = 16 * 2**30
# Names and extended headers; tarfile reads these into memory at once.
_MAX_READ = 2**22
_MAX_NAME = 500
_GZIP, _BZIP2, _XZ = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00"
_OPENERS = ((_GZIP, gzip.open), (_BZIP2, bz2.open), (_XZ, lzma.open))
_DAMAGED = (
  tarfile.TarError,
  zlib.error,
  lzma.LZMAError,
  EOFError,
  OSError,
  OverflowError,
  RecursionError,
  ValueError,
)
_USTAR = slice(257, 262)


class ArchiveError(Exception):
  """The archive is damaged or dangerous.

  Attributes:
    rule: the rule that it breaks.
    where: the member in question, or nothing.
  """

  def __init__(self, rule: str, where: str, message: str):
    super().__init__(message)
    self.rule = rule
    self.where = where


class _Limited:
  """A file that refuses to be read in large pieces, or for ever."""

  def __init__(self, file: IO[bytes]):
    self._file = file

  def read(self, size: int = -1) -> bytes:
    if not 0 <= size <= _MAX_READ:
      raise _unsafe("", f"a header of {size} bytes", f"at most {_MAX_READ}")
    return self._file.read(size)

  def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
    if offset > MAX_BYTES:
      raise _unsafe("", f"{offset} bytes", f"at most {MAX_BYTES}")
    return self._file.seek(offset, whence)

  def tell(self) -> int:
    return self._file.tell()


def is_archive(path: str) -> bool:
  """Whether `path` is a file that starts, or is named, like an archive."""
  if not os.path.isfile(path):
    return False
  try:
    with open(path, "rb") as file:
      start = file.read(512)
  except OSError:
    return False
  if start.startswith((_GZIP, _BZIP2, _XZ)) or start[_USTAR] == b"ustar":
    return True
  return path.endswith((".tar.gz", ".tgz", ".tar"))


def unpack(path: str, folder: str) -> None:
  """Unpacks `path` into the empty directory `folder`.

  Raises:
    ArchiveError: a rule is broken; `folder` may hold a part.
  """
  try:
    with _opened(path) as plain:
      limited = _Limited(plain)
      with tarfile.open(fileobj=limited, mode="r:") as archive:
        _unpack_members(archive, folder)
  except _DAMAGED as error:
    raise ArchiveError(
      "corrupt-file",
      "",
      f"The archive cannot be read ({error}). Pack or download it again.",
    ) from error


def _opened(path: str) -> IO[bytes]:
  """The tar file itself, behind whatever compresses it."""
  with open(path, "rb") as file:
    start = file.read(8)
  for magic, opener in _OPENERS:
    if start.startswith(magic):
      return opener(path, "rb")
  return open(path, "rb")


def _unpack_members(archive: tarfile.TarFile, folder: str) -> None:
  left = min(MAX_BYTES, shutil.disk_usage(folder).free // 2)
  count = 0
  for member in archive:
    count += 1
    left -= max(member.size, 0)
    _check_member(member)
    if count > MAX_MEMBERS:
      raise _unsafe("", "too many members", f"at most {MAX_MEMBERS}")
    if left < 0:
      raise _unsafe(
        member.name, f"a member of {member.size} bytes", "less in total"
      )
    _unpack_member(archive, member, folder)
  if not count:
    raise ArchiveError("not-a-module", "", "The archive is empty.")


def _check_member(member: tarfile.TarInfo) -> None:
  name = member.name
  parts = name.replace("\\", "/").split("/")
  if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE):
    raise _unsafe(name, "a link, device or sparse file", "plain files")
  if (
    name.startswith(("/", "\\"))
    or ".." in parts
    or ":" in parts[0]
    or "\0" in name
    or len(name) > _MAX_NAME
    or member.size < 0
  ):
    raise _unsafe(name, "an unsafe name", "a relative one, without `..`")


def _unsafe(where: str, got: str, expected: str) -> ArchiveError:
  return ArchiveError(
    "unsafe-archive",
    where,
    f"Got {got}; expected {expected}. Nothing of it was used; pack the module "
    "with `tar` from its own directory.",
  )


def _unpack_member(
  archive: tarfile.TarFile, member: tarfile.TarInfo, folder: str
) -> None:
  target = os.path.join(folder, *member.name.split("/"))
  if member.isdir():
    os.makedirs(target, exist_ok=True)
    return
  os.makedirs(os.path.dirname(target), exist_ok=True)
  source: Any = archive.extractfile(member)
  with open(target, "wb") as file:
    shutil.copyfileobj(source, file, 2**20)
  if os.path.getsize(target) != member.size:
    raise tarfile.ReadError(f"{member.name} ends too early")
