# SPDX-License-Identifier: Apache-2.0
"""The archive reader against hostile and damaged archives.

An archive survives if it is unpacked or refused by an `ArchiveError`, in
seconds, with little memory, with plain files and directories inside of the
target alone, and no more bytes than its limit.
"""

from __future__ import annotations

import gzip
import os
import pathlib
import random
import resource
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator

from hub_image_export.untrusted import archive
from tests.faults import damage, hostile_archives
from tests.faults.attempts import Attempt, Scale

_SECONDS = 10.0
# Beyond what the archive holds: a bzip2 or xz block is taken apart whole.
_MEMORY = 100 * 2**20
_MUTATIONS = {Scale.SHORT: 60, Scale.FULL: 900}
_BLOCK = 512
_RULES = ("corrupt-file", "unsafe-archive", "not-a-module")


def run(scale: Scale) -> Iterator[Attempt]:
  """Archives made by hand, and good ones with something changed."""
  compressions = hostile_archives.COMPRESSIONS
  made = hostile_archives.archives()
  if scale is Scale.SHORT:
    compressions = {"gz": compressions["gz"]}
    made = {name: data for name, data in made.items() if len(data) < 2**20}
  for name, data in made.items():
    for kind, compress in compressions.items():
      if kind == "gz" or len(data) < 2**20:  # The others take their time.
        problem = _problem(compress(data))
        yield "archive written to harm", f"{name}, {kind}", problem
  del made
  for name, data in hostile_archives.files().items():
    yield "compressed file, or a bomb", name, _problem(data)
  for seed in range(_MUTATIONS[scale]):
    for fault, change in _CHANGES.items():
      yield fault, f"seed {seed}", _problem(change(random.Random(seed)))


def _header(good: bytes, source: random.Random) -> bytes:
  """`good` with bytes of its headers changed, and their checksums fixed."""
  data = bytearray(good)
  starts = [
    start
    for start in range(0, len(data), _BLOCK)
    if data[start + 257 : start + 262] == b"ustar"
  ]
  for _ in range(source.randint(1, 3)):
    start = source.choice(starts)
    block = bytearray(data[start : start + _BLOCK])
    place = source.choice([0, 100, 124, 136, 156, 157, 257, 263, 345])
    for offset in range(source.randint(1, 12)):
      value = source.choice([0, 32, 47, 46, 49, 55, 128, 255])
      block[place + offset] = value if source.random() < 0.8 else place % 256
    if source.random() < 0.5:
      block[156] = source.choice(b"0123456789LKSXxgVN\0")
    data[start : start + _BLOCK] = hostile_archives.with_checksum(block)
  return bytes(data)


_GOOD = hostile_archives.GOOD + bytes(2 * _BLOCK)
_COMPRESSED = gzip.compress(_GOOD, mtime=0)
_CHANGES: dict[str, Callable[[random.Random], bytes]] = {
  "bytes of the compressed file changed": lambda source: damage.damaged(
    _COMPRESSED, source
  ),
  "bytes of the tar file changed": lambda source: gzip.compress(
    damage.damaged(_GOOD, source), 1
  ),
  "headers changed, with true checksums": lambda source: gzip.compress(
    _header(_GOOD, source), 1
  ),
}


def _problem(content: bytes) -> str:
  """What was lost; nothing if it was unpacked or refused."""
  with tempfile.TemporaryDirectory(prefix="hostile_archive_") as sandbox:
    file = pathlib.Path(sandbox, "archive")
    file.write_bytes(content)
    folder = pathlib.Path(sandbox, "a", "b", "folder")
    folder.mkdir(parents=True)
    before, start = _memory(), time.perf_counter()
    result = ""
    try:
      archive.unpack(str(file), str(folder))
    except archive.ArchiveError as error:
      if error.rule not in _RULES:
        result = f"broke the rule {error.rule!r}"
    except BaseException as error:  # noqa: BLE001
      result = f"raised {type(error).__name__}: {error}"
    seconds, memory = time.perf_counter() - start, _memory() - before
    if seconds > _SECONDS:
      result = f"took {seconds:.0f} seconds"
    if memory > _MEMORY + len(content):
      result = f"took {memory // 2**20} MB of memory"
    return _misplaced(pathlib.Path(sandbox), len(content)) or result


def _memory() -> int:
  """The most bytes that this process ever had."""
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _misplaced(sandbox: pathlib.Path, size: int) -> str:
  """What is there that should not be; puts it away."""
  outside = hostile_archives.OUTSIDE
  if os.path.lexists(outside):
    os.remove(outside)
    return f"wrote {outside}"
  beside = {p.relative_to(sandbox).as_posix() for p in sandbox.glob("*")}
  inner = {p.name for p in sandbox.glob("a/*")} | {
    p.name for p in sandbox.glob("a/b/*")
  }
  if beside != {"archive", "a"} or inner != {"b", "folder"}:
    return f"wrote beside its folder: {sorted(beside | inner)}"
  total = 0
  for parent, folders, names in os.walk(sandbox / "a" / "b" / "folder"):
    for name in (*folders, *names):
      status = os.lstat(os.path.join(parent, name))
      total += status.st_size if stat.S_ISREG(status.st_mode) else 0
      if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
        return f"made something that is no file: {name!r}"
      if status.st_mode & (stat.S_ISUID | stat.S_ISGID | stat.S_IXUSR) and (
        stat.S_ISREG(status.st_mode)
      ):
        return f"made a program: {name!r}"
  limit = archive.MAX_BYTES_OF_ANY + archive.MAX_BYTES_PER_BYTE * size
  if total > limit:
    return f"unpacked {total} bytes"
  shutil.rmtree(sandbox / "a")  # Fails where it cannot be cleaned up.
  return ""
