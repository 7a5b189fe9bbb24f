# SPDX-License-Identifier: Apache-2.0
"""Unpacks an archive that nobody vouches for.

Only plain files and directories with relative names are taken. Python's own
`extractall` filters came with 3.12 and know no limits of size.

`tarfile` believes what headers say of themselves: it reads them into memory
whole, follows any number of them, and keeps them all. So each read is counted
against what may come at this point (`_Limited`), and nothing is kept.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import shutil
import tarfile
from typing import IO, Any

# Files, and the directories in their names.
MAX_MEMBERS = 10_000
MAX_BYTES = 16 * 2**30
# What an archive may hold at least, and per byte of its own. Weights hardly
# compress; gzip gives zeros a thousand times their size, bzip2 much more.
MAX_BYTES_OF_ANY = 2**30
MAX_BYTES_PER_BYTE = 100
# All headers of one member: names, extended headers, maps of sparse files.
_MAX_HEADERS = 2**17
_CHUNK = 2**16
_MAX_NAME = 500
# What xz may take to decompress, which its header decides (its default
# presets take up to 65 MiB).
_MAX_XZ_MEMORY = 2**27
_GZIP, _BZIP2, _XZ = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00"
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
  """A file that is read forwards, and no further than it was allowed to."""

  def __init__(self, file: IO[bytes]):
    self._file = file
    self._position = 0
    self._left = 0

  def allow(self, left: int) -> None:
    self._left = left

  def read(self, size: int = -1) -> bytes:
    if not 0 <= size <= self._left:
      raise _unsafe(
        "", "larger headers than any module has", f"at most {_MAX_HEADERS}"
      )
    self._left -= size
    data = self._file.read(size)
    self._position += len(data)
    return data

  def seek(self, offset: int) -> int:
    if offset < self._position:
      raise tarfile.ReadError("a header leads backwards")
    while self._position < offset and self.read(
      min(_CHUNK, offset - self._position)
    ):
      pass
    return self._position

  def tell(self) -> int:
    return self._position


class _Xz(io.RawIOBase):
  """What stands in an `.xz` file; its header cannot ask for any memory."""

  def __init__(self, path: str):
    super().__init__()
    self._file = open(path, "rb")  # noqa: SIM115, closed by close.
    self._chunks = iter(lambda: self._file.read(_CHUNK), b"")
    self._decompressor = self._new()
    self._input = b""

  def readable(self) -> bool:
    return True

  def readinto(self, buffer: Any) -> int:
    """Fills a part of `buffer`; 0 at the end."""
    data = b""
    while not data:
      if self._decompressor.eof:
        self._input = self._decompressor.unused_data.lstrip(b"\0")
        self._decompressor = self._new()
      if not self._input and self._decompressor.needs_input:
        self._input = next(self._chunks, b"")
        if not self._input:
          return 0
      data = self._decompressor.decompress(self._input, len(buffer))
      self._input = b""
    buffer[: len(data)] = data
    return len(data)

  def close(self) -> None:
    self._file.close()
    super().close()

  def _new(self) -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MAX_XZ_MEMORY)


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
      _unpack_all(_Limited(plain), _max_bytes(path, folder), folder)
  except ArchiveError:
    raise
  except Exception as error:  # tarfile fails in any way on nonsense.
    raise ArchiveError(
      "corrupt-file",
      "",
      f"The archive cannot be read ({error}). Pack or download it again.",
    ) from error


def _opened(path: str) -> Any:
  """The tar file itself, behind whatever compresses it."""
  with open(path, "rb") as file:
    start = file.read(8)
  if start.startswith(_GZIP):
    return gzip.open(path, "rb")
  if start.startswith(_BZIP2):
    return bz2.open(path, "rb")
  if start.startswith(_XZ):
    return io.BufferedReader(_Xz(path), _CHUNK)
  return open(path, "rb")


def _max_bytes(path: str, folder: str) -> int:
  """What `path` may hold altogether."""
  return min(
    MAX_BYTES,
    shutil.disk_usage(folder).free // 2,
    MAX_BYTES_OF_ANY + MAX_BYTES_PER_BYTE * os.path.getsize(path),
  )


def _unpack_all(limited: _Limited, left: int, folder: str) -> None:
  limited.allow(_MAX_HEADERS)
  count = 0
  # Types of tarfile know neither such files nor what it keeps.
  open_tar: Any = tarfile.open
  with open_tar(fileobj=limited, mode="r:") as archive:
    while member := archive.next():
      # Each part of a name may take a directory.
      count += 1 + member.name.count("/")
      left -= max(member.size, 0)
      _check_member(member)
      if count > MAX_MEMBERS:
        raise _unsafe("", "too many members", f"at most {MAX_MEMBERS}")
      if left < 0:
        raise _unsafe(
          member.name, f"a member of {member.size} bytes", "less in total"
        )
      limited.allow(member.size)
      _unpack_member(archive, member, folder)
      # tarfile keeps each header for a look-up by name.
      archive.members.clear()
      archive.pax_headers.clear()
      limited.allow(_MAX_HEADERS)
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
    shutil.copyfileobj(source, file, _CHUNK)
  if os.path.getsize(target) != member.size:
    raise tarfile.ReadError(f"{member.name} ends too early")
