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
  found = dict.fromkeys(file for root in roots for file in below(root))
  if not found:
    raise ValueError(
      f"there are no files in {', '.join(map(arguments.shown, roots))}: "
      "expected images"
    )
  return list(found)


def below(root: str) -> Iterator[str]:
  """The file itself, or all files of a folder, at any depth."""
  if not os.path.isdir(root):
    yield root
    return
  for folder, folders, names in os.walk(root, followlinks=True):
    folders[:] = sorted(f for f in folders if not _leads_back(folder, f))
    yield from (os.path.join(folder, name) for name in sorted(names))


def _leads_back(folder: str, name: str) -> bool:
  """Whether it is a link to a folder that it is in."""
  path = os.path.join(folder, name)
  if not os.path.islink(path):
    return False
  target = os.path.join(os.path.realpath(path), "")
  return os.path.join(os.path.realpath(folder), "").startswith(target)
