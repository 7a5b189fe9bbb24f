# SPDX-License-Identifier: Apache-2.0
"""Which image files are meant by files, folders and patterns."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator

from hub_image_export import arguments


def matches(given: str) -> list[str]:
  """Files and folders that are there: the one of the name, or of a pattern.

  Raises:
    ValueError: there is none.
  """
  path = arguments.check_local_path("the image", given, "a file or folder")
  if os.path.exists(path):
    return [path]
  found = sorted(glob.glob(path, recursive=True))
  if not found:
    raise arguments.wrong_value(
      "the image", given, "a file or folder that is there, or a pattern of some"
    )
  return found


def listed(given: Iterable[str]) -> list[str]:
  """All files, each once; those of folders in order, whatever their names.

  A folder may have files that are no images: they are listed, too, so that
  nothing is left out without a word.

  Raises:
    ValueError: a name is that of nothing, or no files are there.
  """
  roots = [path for name in given for path in matches(name)]
  found: dict[str, str] = {}
  for root in roots:
    for folder, names, _ in walk(root):
      for path in (os.path.join(folder, name) for name in names):
        found.setdefault(os.path.abspath(path), path)
  if not found:
    raise ValueError(
      f"there are no files in {', '.join(map(arguments.shown, roots))}: "
      "expected images"
    )
  return list(found.values())


def walk(root: str) -> Iterator[tuple[str, list[str], bool]]:
  """The file itself, or all files of a folder, at any depth.

  Links are followed, but for those that lead back to a folder on the way.

  Yields:
    A folder, the names of its files in order, and whether it has such a link.

  Raises:
    ValueError: a folder cannot be read.
  """
  if not os.path.isdir(root):
    folder, name = os.path.split(root)
    yield folder, [name], False
    return
  pending: list[tuple[str, tuple[str, ...]]]
  pending = [(root, (os.path.realpath(root),))]
  while pending:
    folder, way = pending.pop()
    files, inner = [], []
    for name in _names(folder):
      path = os.path.join(folder, name)
      if os.path.isdir(path):
        inner.append((path, (*way, os.path.realpath(path))))
      else:
        files.append(name)
    kept = [(path, to) for path, to in inner if not _leads_back(to)]
    yield folder, files, len(kept) < len(inner)
    pending += reversed(kept)


def readable(path: str) -> str:
  r"""The path as text that any file can hold: bytes of no text are \\xff."""
  return os.fsencode(path).decode("utf-8", "backslashreplace")


def _names(folder: str) -> list[str]:
  try:
    return sorted(os.listdir(folder))
  except OSError as error:
    raise ValueError(
      f"the image folder {arguments.shown(folder)} cannot be read: "
      f"{error.strerror}. Nothing was run, for nothing is left out"
    ) from error


def _leads_back(way: tuple[str, ...]) -> bool:
  """Whether the last of the real folders holds one before it, or is one."""
  *before, last = (os.path.join(folder, "") for folder in way)
  return any(folder.startswith(last) for folder in before)
