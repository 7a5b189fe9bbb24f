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
from collections.abc import Iterator, Sequence
from typing import Any

from hub_image_export import arguments
from hub_image_export.serving import decoding, image_files
from hub_image_export.spark import sessions

_PATTERN_CHARACTERS = re.compile(r"([\\{}\[\]*?,^])")


@dataclasses.dataclass(frozen=True)
class Photos:
  """Which there are.

  Attributes:
    roots: files and folders, for Spark's reader.
    files: sizes in bytes by path, of all files; local ones without `file:`.
  """

  roots: list[str]
  files: dict[str, int]

  @classmethod
  def of(cls, spark: Any, given: Sequence[str]) -> Photos:
    """Those that files, folders and patterns stand for.

    Raises:
      ValueError: a name is that of nothing, or no files are there.
    """
    roots, files = [], {}
    for name in given:
      if arguments.is_remote(name):
        found, below = _remote(spark, name)
      else:
        found = list(map(os.path.abspath, image_files.matches(name)))
        below = {
          path: _size(path)
          for root in found
          for path in image_files.below(root)
        }
      roots += found
      files.update(below)
    if not files:
      raise arguments.wrong_value(
        "the image", list(given), "images: there are no files"
      )
    return cls(_outermost(roots), files)

  @property
  def skipped(self) -> list[str]:
    """What Spark's reader leaves out, or is not given."""
    return [
      path
      for path, size in self.files.items()
      if not 0 < size <= decoding.MAX_BYTES
      or _is_hidden(path)
      or not (arguments.is_remote(path) or os.access(path, os.R_OK))
    ]


def read(spark: Any, photos: Photos) -> Any:
  """A DataFrame of `path, content, told`: one row for each file.

  `told` is what is wrong with a file that has no content here.
  """
  F = sessions.functions()
  skipped = photos.skipped
  frames = []
  if len(skipped) < len(photos.files):
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
  if skipped:
    frame = spark.createDataFrame([(p,) for p in skipped], "path string")
    frame = frame.select("path", _read()("path").alias("found"))
    frames.append(frame.select("path", "found.content", "found.told"))
  return functools.reduce(lambda a, b: a.unionByName(b), frames)


def _read() -> Any:
  """A function that reads local files, whatever their names."""
  import pandas as pd

  def contents(paths: Any) -> Any:
    pairs = [_content(path) for path in paths]
    return pd.DataFrame(pairs, columns=["content", "told"])

  contents.__annotations__ = {"paths": pd.Series, "return": pd.DataFrame}
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


def _outermost(roots: Sequence[str]) -> list[str]:
  """Without those that are below another, which would be read twice."""
  known = set(roots)

  def parents(path: str) -> Iterator[str]:
    while (parent := os.path.dirname(path)) != path:
      yield parent
      path = parent

  return sorted(p for p in known if known.isdisjoint(parents(p)))


def _size(path: str) -> int:
  try:
    return os.path.getsize(path)
  except OSError:  # A link to nothing.
    return 0


def _is_hidden(path: str) -> bool:
  """As Spark's `InMemoryFileIndex` has it, for any part of the path."""
  return any(
    part.startswith(".")
    or part.endswith("._COPYING_")
    or (part.startswith("_") and "=" not in part)
    for part in path.split("/")
  )


def _remote(spark: Any, name: str) -> tuple[list[str], dict[str, int]]:
  """Roots and files of another file system, as Hadoop lists them."""
  files: dict[str, int] = {}
  jvm, conf = spark._jvm, spark._jsc.hadoopConfiguration()
  pattern = jvm.org.apache.hadoop.fs.Path(name)
  system = pattern.getFileSystem(conf)
  roots = [status.getPath() for status in system.globStatus(pattern) or ()]
  if not roots:
    raise arguments.wrong_value(
      "the image", name, "a file or folder that is there, or a pattern of some"
    )
  for root in roots:
    for status in _each(system.listFiles(root, True)):
      files[status.getPath().toString()] = status.getLen()
  return [root.toString() for root in roots], files


def _each(iterator: Any) -> Iterator[Any]:
  while iterator.hasNext():
    yield iterator.next()
