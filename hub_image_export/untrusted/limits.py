# SPDX-License-Identifier: Apache-2.0
"""How much a reader takes of a file that nobody vouches for.

A file may say that it holds any number of bytes, and a few bytes may stand for
all the memory of the machine. Weights hardly compress: what a file holds is in
proportion to its own size.
"""

from __future__ import annotations

import json
import zipfile
from typing import Any

# What any file may hold, and what it may per byte of its own.
MAX_BYTES_OF_ANY = 2**28
MAX_BYTES_PER_BYTE = 100
# The largest description of a Keras Application (NASNetLarge) has a tenth of
# it; Python takes up to twenty times as much for its objects.
MAX_JSON_BYTES = 2**24
# Keras goes through it with some ten calls for each level.
MAX_DEPTH = 200
MAX_ENTRIES = 100_000


def max_bytes(stored: int) -> int:
  """What a file of `stored` bytes may hold altogether."""
  return MAX_BYTES_OF_ANY + MAX_BYTES_PER_BYTE * stored


def parse_json(text: bytes | str) -> Any:
  """What stands in a JSON text.

  Raises:
    ValueError: it is none, too long, or nested too deeply.
  """
  if len(text) > MAX_JSON_BYTES:
    raise ValueError(
      f"{len(text)} bytes of JSON, expected at most {MAX_JSON_BYTES}"
    )
  try:
    value = json.loads(text)
  except RecursionError:
    value = None
    depth = MAX_DEPTH + 1
  else:
    depth = _depth(value)
  if depth > MAX_DEPTH:
    raise ValueError(f"JSON nested more than {MAX_DEPTH} levels deep")
  return value


def _depth(value: Any) -> int:
  depth, level = 0, [value]
  while level and depth <= MAX_DEPTH:
    depth += 1
    inner: list[Any] = []
    for item in level:
      if isinstance(item, dict):
        inner += item.values()
      elif isinstance(item, list):
        inner += item
    level = [item for item in inner if isinstance(item, (dict, list))]
  return depth


def check_zip(archive: zipfile.ZipFile, stored: int) -> None:
  """Raises ValueError if an archive of `stored` bytes holds too much."""
  members = archive.infolist()
  if len(members) > MAX_ENTRIES:
    raise ValueError(f"{len(members)} members, expected at most {MAX_ENTRIES}")
  size = sum(member.file_size for member in members)
  if size > max_bytes(stored):
    raise ValueError(
      f"{stored} bytes that hold {size}, expected at most {max_bytes(stored)}"
    )


def read_member(archive: zipfile.ZipFile, name: str) -> bytes:
  """The JSON text in an archive.

  Raises:
    KeyError: it has no such member.
    ValueError: the member is too long.
  """
  size = archive.getinfo(name).file_size
  if size > MAX_JSON_BYTES:
    raise ValueError(f"{name} has {size} bytes, expected {MAX_JSON_BYTES}")
  return archive.read(name)
