"""Paths that a module can be exported to, and read from again."""

from __future__ import annotations

import os

from hub_image_export import arguments

# TensorFlow takes paths of checkpoints for patterns.
_WILDCARDS = "*?[\\"


def local_path(path: str | os.PathLike[str]) -> str:
  """The absolute path.

  Raises:
    TypeError, ValueError: it is no path, or no local one, or TensorFlow could
      not read a module from there.
  """
  path = arguments.check_path("path", path, "the module's directory")
  if arguments.is_remote(path):
    raise ValueError(
      f"the export path {path!r} is not local: a module is put into place by a "
      "rename, which remote file systems do not have. Export to a local "
      "directory and copy that"
    )
  path = os.path.abspath(path)
  wrong = sorted(set(path).intersection(_WILDCARDS) - {os.sep})
  if wrong or not arguments.is_unicode(path):
    raise ValueError(
      f"the export path {path!r} has {wrong or 'bytes that are no UTF-8'}: "
      "TensorFlow would not find the weights of a module there. Choose "
      "another path"
    )
  return path
