# SPDX-License-Identifier: Apache-2.0
"""Photos for Spark: its own reader, and what that leaves out without a word.

`binaryFile` skips empty files and whatever has a name, or stands in a folder,
that begins with `_` or `.`: photos of many cameras do (`_DSC0001.JPG`).
"""

from __future__ import annotations

import dataclasses
import functools
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from hub_image_export import arguments
from hub_image_export.serving import decoding, image_files
from hub_image_export.spark import java, sessions

_PATTERN_CHARACTERS = re.compile(r"([\\{}\[\]*?,^])")


@dataclasses.dataclass(frozen=True)
class Photos:
  """Which there are.

  Attributes:
    roots: files and folders, for Spark's reader.
    files: all that there are; local ones without `file:`.
    skipped: those among them that Spark's reader does not give.
  """

  roots: list[str]
  files: set[str]
  skipped: list[str]

  @classmethod
  def of(cls, spark: Any, given: Sequence[str]) -> Photos:
    """Those that files, folders and patterns stand for.

    Raises:
      ValueError: a name is that of nothing, or no files are there.
    """
    below: dict[str, dict[str, int]] = {}
    for name in given:
      name = name.removeprefix("file://")
      below.update(
        _remote(spark, name) if arguments.is_remote(name) else _local(name)
      )
    roots = _outermost(below)
    files = {path for root in roots for path in below[root]}
    if not files:
      raise arguments.wrong_value(
        "the image", list(given), "images: there are no files"
      )
    skipped = [
      path
      for root in roots
      for path, size in below[root].items()
      if not 0 < size <= decoding.MAX_BYTES or _is_beyond_spark(path, root)
    ]
    left = files.difference(skipped)
    seen = [root for root in roots if not left.isdisjoint(below[root])]
    return cls(seen, files, skipped)


def read(spark: Any, photos: Photos) -> Any:
  """A DataFrame of `path, content, told`: one row for each file.

  `told` is what is wrong with a file that has no content here.
  """
  F = sessions.functions()
  frames = []
  if len(photos.skipped) < len(photos.files):
    reader = spark.read.format("binaryFile")
    reader = reader.option("recursiveFileLookup", "true")
    escaped = [_PATTERN_CHARACTERS.sub(r"\\\1", root) for root in photos.roots]
    frame = reader.load(escaped).where(
      (F.col("length") > 0) & (F.col("length") <= decoding.MAX_BYTES)
    )
    path = F.regexp_replace("path", "^file:(//)?", "")
    told = F.lit(None).cast("string")
    frames.append(
      frame.select(path.alias("path"), "content", told.alias("told"))
    )
  if photos.skipped:
    paths = [
      (image_files.readable(path), bytearray(os.fsencode(path)))
      for path in photos.skipped
    ]
    frame = spark.createDataFrame(paths, "path string, place binary")
    frame = frame.select("path", _read()("place").alias("found"))
    frames.append(frame.select("path", "found.content", "found.told"))
  return functools.reduce(lambda a, b: a.unionByName(b), frames)


def _read() -> Any:
  """A function that reads local files, whatever their names."""
  import pandas as pd

  def contents(places: Any) -> Any:
    pairs = [_content(os.fsdecode(bytes(place))) for place in places]
    return pd.DataFrame(pairs, columns=["content", "told"])

  contents.__annotations__ = {"places": pd.Series, "return": pd.DataFrame}
  types = "content binary, told string"
  return sessions.functions().pandas_udf(contents, types)


def _content(path: str) -> tuple[bytes | None, str | None]:
  if arguments.is_remote(path):
    return None, (
      "Spark reads no files that are empty, very large, or have names that "
      "begin with _ or ."
    )
  try:
    return decoding.read(path), None
  except ValueError as error:
    return None, str(error)


def _outermost(roots: Iterable[str]) -> list[str]:
  """Without those that are below another, which would be read twice."""
  known = set(roots)

  def parents(path: str) -> Iterator[str]:
    while (parent := os.path.dirname(path)) != path:
      yield parent
      path = parent

  return sorted(p for p in known if known.isdisjoint(parents(p)))


def _local(name: str) -> dict[str, dict[str, int]]:
  """Sizes of the files of each root, as Python sees them."""
  found = {}
  for root in map(os.path.abspath, image_files.matches(name)):
    sizes, leads_back = {}, False
    for folder, names, has_such_a_link in image_files.walk(root):
      paths = [os.path.join(folder, name) for name in names]
      sizes.update({path: _size(path) for path in paths})
      leads_back |= has_such_a_link
    # Spark's reader would go round and round, or fail at what it finds: each
    # file is a root then.
    each = {path: {path: size} for path, size in sizes.items()}
    apart = leads_back or any(":" in path for path in sizes)
    found.update(each if apart else {root: sizes})
  return found


def _size(path: str) -> int:
  """In bytes; 0 for what cannot be read."""
  try:
    return os.path.getsize(path) if os.access(path, os.R_OK) else 0
  except OSError:  # A link to nothing.
    return 0


def _is_beyond_spark(path: str, root: str) -> bool:
  """Whether Spark's reader skips it, or cannot be told of it."""
  inner = path[len(os.path.dirname(root)) :]  # What is above hides nothing.
  return (
    any(map(_has_hidden_name, inner.split("/")))
    # Java knows names of text alone. Hadoop's file system of this machine
    # takes the beginning of "a:b.png" for a scheme.
    or image_files.readable(path) != path
    or (":" in path and not arguments.is_remote(root))
  )


def _has_hidden_name(name: str) -> bool:
  """As Spark's `InMemoryFileIndex` has it."""
  return (
    name.startswith(".")
    or name.endswith("._COPYING_")
    or (name.startswith("_") and "=" not in name)
  )


def _remote(spark: Any, name: str) -> dict[str, dict[str, int]]:
  """Sizes of the files of each root, as Hadoop lists them."""
  pattern, system = java.file_path(spark, name)
  roots = [status.getPath() for status in system.globStatus(pattern) or ()]
  if not roots:
    raise arguments.wrong_value(
      "the image", name, "a file or folder that is there, or a pattern of some"
    )
  return {
    root.toString(): {
      status.getPath().toString(): status.getLen()
      for status in _each(system.listFiles(root, True))
    }
    for root in roots
  }


def _each(iterator: Any) -> Iterator[Any]:
  while iterator.hasNext():
    yield iterator.next()
