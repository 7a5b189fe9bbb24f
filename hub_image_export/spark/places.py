# SPDX-License-Identifier: Apache-2.0
"""Where a result goes, on any file system of Hadoop's: whole, or not at all."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Iterator
from typing import Any

from hub_image_export import arguments
from hub_image_export.arguments import called
from hub_image_export.errors import ExportError
from hub_image_export.spark import java

# What a result consists of, and so what another may replace.
_OURS = re.compile(r"(part-.*\.parquet|_SUCCESS|\..*\.crc)")


def check_local(output: str, overwrite: bool) -> None:
  """Raises ExportError where a path on this machine shows it already."""
  path = os.path.abspath(output)
  if arguments.is_remote(output):
    return
  if not os.path.isdir(os.path.dirname(path)):
    raise _no_directory(output, os.path.dirname(path))
  if os.path.lexists(path) and not overwrite:
    raise _exists(output)


def _no_directory(output: str, parent: str) -> ExportError:
  return ExportError(
    f"the output is {output!r}, and there is no directory {parent!r}: "
    "expected one. Make it, or choose another path"
  )


def _exists(output: str) -> ExportError:
  return ExportError(
    f"the output is {output!r}, which exists: expected a new path. "
    f"Choose one, or replace it with {called('overwrite', True)}"
  )


class Place:
  """A directory that will be there when it is complete."""

  def __init__(self, spark: Any, output: str, overwrite: bool) -> None:
    """Looks at what is there.

    Raises:
      ExportError: there is something that may not be replaced, or no place.
    """
    self._spark = spark
    path, self._files = java.file_path(spark, output)
    self._path = self._files.makeQualified(path)
    self._output, self._overwrite = output, overwrite
    self._check()

  def _check(self) -> None:
    if not self._files.exists(self._path.getParent()):
      raise _no_directory(self._output, self._path.getParent().toString())
    if not self._files.exists(self._path):
      return
    if not self._overwrite:
      raise _exists(self._output)
    names = [s.getPath().getName() for s in self._files.listStatus(self._path)]
    others = [name for name in names if not _OURS.fullmatch(name)]
    if others and not self._files.getFileStatus(self._path).isFile():
      raise ExportError(
        f"the output is {self._output!r}, which has {others[:3]}: "
        "expected the result of an earlier run. Choose another path"
      )

  @contextlib.contextmanager
  def beside(self) -> Iterator[str]:
    """A path beside the place, which is removed if it still is there."""
    # No hidden name: Spark would not read it again.
    name = f"{self._path.toString()}-incomplete-{secrets.token_hex(4)}"
    try:
      yield name
    finally:
      self._files.delete(self._at(name), True)

  def commit(self, beside: str) -> None:
    """Puts what is complete into its place."""
    self._check()
    old = None
    if self._files.exists(self._path):
      old = self._at(f"{self._path.toString()}-old-{secrets.token_hex(4)}")
      self._rename(self._path, old)
    self._rename(self._at(beside), self._path)
    if old is not None:
      self._files.delete(old, True)

  def _at(self, name: str) -> Any:
    return java.file_path(self._spark, name)[0]

  def _rename(self, source: Any, target: Any) -> None:
    if not self._files.rename(source, target):
      raise ExportError(
        f"cannot rename {source.toString()!r} to {target.toString()!r}: is it "
        "there meanwhile?"
      )
