# SPDX-License-Identifier: Apache-2.0
"""Archives that were made to harm who unpacks them, written by hand.

`ARCHIVES` has, by name, functions that give the bytes of a tar file, which is
then compressed in each way that there is. `FILES` are whole files.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
from collections.abc import Callable

MEGABYTE = 2**20
# Where some of them would put a file.
OUTSIDE = "/tmp/outside_of_archive"
_BLOCK = 512
_GNU_SPARSE = b"S"


def member(name: str, content: bytes = b"", **fields: object) -> bytes:
  """A header and its content, padded; fields override what follows."""
  info = tarfile.TarInfo(name)
  info.size = len(content)
  for key, value in fields.items():
    setattr(info, key, value)
  padding = -len(content) % _BLOCK
  header = info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
  return header + content + bytes(padding)


def raw(**fields: bytes) -> bytes:
  """A ustar header with the given bytes in its fields, and a true checksum."""
  places = {
    "name": (0, 100), "mode": (100, 8), "uid": (108, 8), "size": (124, 12),
    "mtime": (136, 12), "type": (156, 1), "linkname": (157, 100),
    "magic": (257, 8), "devmajor": (329, 8), "prefix": (345, 155),
    "rest": (386, 126),
  }  # fmt: skip
  defaults = {"name": b"file", "size": b"0", "type": b"0"}
  block = bytearray(_BLOCK)
  defaults["magic"] = b"ustar\x0000"
  for key, value in {**defaults, **fields}.items():
    start, length = places[key]
    block[start : start + length] = value[:length].ljust(length, b"\0")
  return with_checksum(block)


def with_checksum(block: bytearray) -> bytes:
  block[148:156] = b" " * 8
  block[148:156] = b"%06o\0 " % sum(block)
  return bytes(block)


def _extended(content: bytes, kind: bytes = b"x", size: int = -1) -> bytes:
  size = len(content) if size < 0 else size
  header = raw(type=kind, name=b"headers", size=b"%011o" % size)
  return header + content + bytes(-len(content) % _BLOCK)


def _pax(key: bytes, value: bytes) -> bytes:
  record = b" " + key + b"=" + value + b"\n"
  length = len(record) + 1
  while len(b"%d" % length) + len(record) != length:
    length += 1
  return b"%d" % length + record


GOOD = member("saved_model.pb", b"graph" * 300) + member("assets/a", b"a")


def _links() -> dict[str, bytes]:
  kinds = {
    "symlink": tarfile.SYMTYPE, "hardlink": tarfile.LNKTYPE,
    "device": tarfile.CHRTYPE, "disk": tarfile.BLKTYPE,
    "pipe": tarfile.FIFOTYPE, "contiguous": tarfile.CONTTYPE,
    "sparse": tarfile.GNUTYPE_SPARSE, "unknown type": b"Z",
  }  # fmt: skip
  found = {
    f"{name} to {target}": member("link", type=kind, linkname=target)
    for name, kind in kinds.items()
    for target in ("/etc/passwd", "../../outside", "saved_model.pb", "")
  }
  found["file through a link"] = member(
    "assets", type=tarfile.SYMTYPE, linkname="../.."
  ) + member("assets/outside", b"x")
  return found


def _names() -> dict[str, bytes]:
  names = {
    "parent": "../outside", "parent inside": "a/../../outside",
    "absolute": OUTSIDE, "backslashes": "..\\outside",
    "drive": "C:/outside", "parent alone": "..", "dot": ".", "empty": "",
    "long": "n" * 10_000, "deep": "d/" * 200 + "f", "long part": "n" * 300,
    "not UTF-8": "caf\udce9", "control": "a\x1b[2Jb\n", "tilde": "~/outside",
    "turned": "\u202egnp.exe", "slashes": "//outside", "spaces": "   ",
    "end of name": "saved_model.pb\0/../x", "trailing": "saved_model.pb/",
    "proc": "/proc/self/mem", "dev": "/dev/null", "home": "$HOME/x",
  }  # fmt: skip
  return {f"name: {key}": member(name, b"x") for key, name in names.items()}


def _conflicts() -> dict[str, bytes]:
  return {
    "file, then directory": member("a", b"x") + member("a/b", b"y"),
    "directory, then file": member("a/b", b"y") + member("a", b"x"),
    "file twice": member("a", b"x") + member("a", b"yy"),
    "setuid": member("tool", b"x", mode=0o6777),
    "unreadable": member("a", b"x", mode=0)
    + member("d", type=tarfile.DIRTYPE, mode=0)
    + member("d/e", b"x"),
    "owner": member("a", b"x", uid=0, uname="root", mtime=-(2**40)),
    "directory with content": raw(name=b"d", type=b"5", size=b"1" * 11),
    "archive in the archive": member("inner.tar", GOOD * 3),
    "same names, many times": member("a", b"x") * 2000,
    "many members": b"".join(member(f"f{i}") for i in range(10_100)),
    "many deep directories": b"".join(
      member(f"{i}/" + "d/" * 14 + "f") for i in range(1000)
    ),
  }


def _sizes() -> dict[str, bytes]:
  huge = {
    "exabytes": b"\x80" + b"\0" * 3 + b"\x7f" + b"\xff" * 7,
    "negative": b"\xff" * 12,
    "minus": b"-0000000001\0",
    "octal": b"77777777777\0",
    "no number": b"many bytes!!",
    "a terabyte": b"\x80" + (2**40).to_bytes(11, "big"),
  }
  found = {f"size: {k}": raw(size=v) + bytes(_BLOCK) for k, v in huge.items()}
  for kind in (b"x", b"g", b"L", b"K", b"X"):
    found[f"header {kind!r} of a GB"] = _extended(b"", kind, 2**30)
    found[f"header {kind!r} of 4 MB"] = _extended(b"a" * (4 * MEGABYTE), kind)
    found[f"headers {kind!r} in a chain"] = (
      _extended(b"a" * 60_000, kind) * 400 + GOOD
    )
  found["global headers that add up"] = b"".join(
    _extended(_pax(b"key%d" % i, b"v" * 50_000), b"g") + member(f"f{i}")
    for i in range(400)
  )
  found["headers that add up"] = b"".join(
    _extended(_pax(b"comment", b"v" * 60_000)) + member(f"f{i}")
    for i in range(400)
  )
  return found


def _pax_values() -> dict[str, bytes]:
  records = {
    "path outside": _pax(b"path", b"../outside"),
    "absolute path": _pax(b"path", OUTSIDE.encode()),
    "path with zero": _pax(b"path", b"a\0b"),
    "linkpath": _pax(b"linkpath", b"/etc/passwd"),
    "size": _pax(b"size", b"9" * 30), "negative": _pax(b"size", b"-5"),
    "no size": _pax(b"size", b"many"), "nan": _pax(b"mtime", b"nan"),
    "infinite": _pax(b"mtime", b"inf"), "1e999": _pax(b"uid", b"1e999"),
    "charset": _pax(b"hdrcharset", b"BINARY") + _pax(b"path", b"\xff\xfe"),
    "length": b"99999999999999999999 path=a\n", "zero": b"0 path=a\n",
    "short": b"3 path=a\n", "minus": b"-9 path=a\n", "no number": b"x y=z\n",
    "sparse 0.1": _pax(b"GNU.sparse.map", b"0,1," * 9999),
    "sparse 0.0": _pax(b"GNU.sparse.size", b"9" * 18),
    "sparse 1.0": _pax(b"GNU.sparse.major", b"1")
    + _pax(b"GNU.sparse.minor", b"0"),
  }  # fmt: skip
  content = b"99999999\n" + b"1\n" * 99_000
  return {
    f"pax {kind.decode()}: {key}": _extended(record, kind)
    + member("file", content)
    for key, record in records.items()
    for kind in (b"x", b"g", b"X")
  }


def _bombs() -> dict[str, bytes]:
  zeros = bytes(40 * MEGABYTE)
  sparse = _extended(
    _pax(b"GNU.sparse.major", b"1") + _pax(b"GNU.sparse.minor", b"0")
  ) + raw(size=b"%011o" % len(zeros))
  more = b"0" * 96 + b"\1" + b"0" * 12
  old_sparse = raw(type=_GNU_SPARSE, magic=b"ustar  \0", rest=more)
  count = b"99999999\n"
  return {
    "zeros alone": zeros,
    "sparse map without an end": sparse + count + b"1" * len(zeros),
    "sparse map of many": sparse + count + b"1\n" * (len(zeros) // 2),
    "old sparse map without an end": old_sparse + b"1" * len(zeros),
  }


def archives() -> dict[str, bytes]:
  """The bytes of tar files, by what is wrong with them."""
  groups: tuple[Callable[[], dict[str, bytes]], ...] = (
    _links, _names, _conflicts, _sizes, _pax_values, _bombs,
  )  # fmt: skip
  return {key: data for group in groups for key, data in group().items()}


COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
  "tar": lambda data: data,
  "gz": lambda data: gzip.compress(data, 1),
  "bz2": lambda data: bz2.compress(data, 1),
  "xz": lambda data: lzma.compress(data, preset=0),
}


def zeros_in(name: str, gigabytes: int) -> bytes:
  """A member of zeros, as small as its compression makes it."""
  header = raw(size=b"\x80" + (gigabytes * 2**30).to_bytes(11, "big"))
  if name == "gz":
    # Flushed, a deflate stream may repeat: each piece is 64 MB of zeros.
    target = io.BytesIO()
    with gzip.GzipFile("", "wb", 9, target, mtime=0) as file:
      file.write(header)
    piece = gzip.compress(bytes(64 * MEGABYTE), 9)
    return target.getvalue() + piece * (16 * gigabytes)
  compress = COMPRESSIONS[name]
  return compress(header) + compress(bytes(64 * MEGABYTE)) * (16 * gigabytes)


def files() -> dict[str, bytes]:
  """Whole files: what stands around the tar file is wrong."""
  good = gzip.compress(GOOD + bytes(1024))
  filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 3 * 2**29}]
  found = {
    "gzip: members one after the other": gzip.compress(GOOD[:700])
    + gzip.compress(GOOD[700:]),
    "gzip: garbage behind": good + os.urandom(0) + b"garbage" * 99,
    "gzip: 100,000 empty members": good + gzip.compress(b"") * 100_000,
    "gzip: nested": gzip.compress(gzip.compress(good)),
    "gzip: wrong checksum": good[:-8] + bytes(4) + good[-4:],
    "gzip: header alone": good[:10],
    "gzip: name without an end": good[:3] + b"\x08" + good[4:10] + b"n" * 9999,
    "xz: a dictionary of 1.5 GB": lzma.compress(GOOD, filters=filters),
    "nothing": b"",
    "two bytes": b"\x1f\x8b",
    "text": b"not an archive at all",
  }
  for name in ("gz", "bz2", "xz"):
    found[f"{name}: 8 GB of zeros"] = zeros_in(name, 8)
  return found
