# SPDX-License-Identifier: Apache-2.0
"""A module directory either is complete or is not there (F6).

A module is written to a directory of its own beside the target, and renamed
when it is whole. An old module stays until the new one takes its place in one
exchange.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from typing import Any

from hub_image_export import arguments
from hub_image_export.errors import ExportError
from hub_image_export.files.directory_swap import (
  replace_directory,
  sync_directory,
  sync_tree,
)
from hub_image_export.files.staging_directory import (
  StagingDirectory,
  clean_stale,
  strangers,
)

# What other exports to the same place do at the same time may stand in the way
# once, or a few times.
_ATTEMPTS = 20
# `rename` onto a directory with something in it, or onto a file.
_OCCUPIED = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR)
# TensorFlow takes paths of checkpoints for patterns.
_WILDCARDS = "*?[\\"
_WHERE = "Choose an export path in a directory where you may write"
_HINTS = {
  errno.ENOSPC: "The disk is full: free some space, or choose another disk",
  errno.EDQUOT: "Your quota is used up: free space, or choose another disk",
  errno.ENOMEM: "There is not enough memory",
  errno.EFBIG: "A limit on the size of files is reached: raise it (ulimit -f)",
  errno.ENAMETOOLONG: "Choose a shorter export path",
  errno.ENOTDIR: "A parent of the export path is a file: choose another path",
  errno.EEXIST: "A parent of the export path is a file: choose another path",
  errno.EXDEV: "A directory of a lower layer cannot be replaced: choose "
  "another path",
  errno.EBUSY: "A mount point cannot be replaced: choose a path below it",
  errno.EACCES: _WHERE,
  errno.EPERM: _WHERE,
  errno.EROFS: _WHERE,
}


class Staging:
  """A directory in the making; use it as a context manager.

  Attributes:
    path: where to write. `commit` makes it the target.
  """

  def __init__(
    self,
    target: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    kind: str = "module",
    name: str = "path",
    strangers: Callable[[str], list[str]] = strangers,
  ) -> None:
    """Removes what killed exports to the target left, and checks it.

    Nothing is written yet.

    Args:
      target: what the directory becomes.
      overwrite: whether it may replace another of its kind.
      kind: what it is, for messages.
      name: that of the argument, for messages.
      strangers: lists what makes a directory more, or less, than one of those.

    Raises:
      TypeError, ValueError: `target` is no local path.
      ExportError: it exists and may not be replaced, or is no directory.
    """
    self._target = _local_path(target)
    self._named = f"{arguments.called(name)} is {self._target!r}"
    self._overwrite = overwrite
    self._kind, self._strangers = kind, strangers
    clean_stale(self._target)
    self._check_target()
    self._directory = StagingDirectory(self._target)
    self._made_parents: list[str] = []

  @property
  def path(self) -> str:
    return self._directory.module

  def __enter__(self) -> Staging:
    try:
      for _ in range(_ATTEMPTS):
        self._make_parents()
        if self._directory.make():
          return self
      raise ExportError(self._busy())
    except OSError as error:
      self._clean_up()
      raise ExportError(
        f"cannot write to {os.path.dirname(self._target)!r}: {error.strerror}. "
        f"{_hint(error) or _WHERE}"
      ) from error
    except BaseException:
      self._clean_up()
      raise

  def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
    self._clean_up()
    if isinstance(error, OSError):
      hint = _hint(error)
      raise ExportError(
        f"the module could not be written to {self._target!r}: {error}. "
        f"Nothing was left behind{'. ' + hint if hint else ''}"
      ) from error
    if _is_out_of_memory(error):
      raise ExportError(
        f"there is not enough memory to export to {self._target!r}. Nothing "
        "was left behind. Raise the limit of the process, or use a machine "
        "with more"
      ) from error

  @contextlib.contextmanager
  def flushed_meanwhile(self) -> Iterator[None]:
    """Sends what is written to the disk while the body does something else.

    Raises:
      OSError: it could not be written, after the body.
    """
    with concurrent.futures.ThreadPoolExecutor(1) as beside:
      flushed = beside.submit(sync_tree, self._directory.path)
      yield
      flushed.result()

  def commit(self) -> None:
    """Puts the module into place, in one step."""
    sync_tree(self._directory.path)
    for _ in range(_ATTEMPTS):
      self._check_target()
      if self._put_into_place():
        self._made_parents.clear()
        sync_directory(os.path.dirname(self._target))
        return
    raise ExportError(self._busy())

  def _put_into_place(self) -> bool:
    """False if somebody else put something there, or took it away."""
    try:
      os.rename(self.path, self._target)
      return True
    except OSError as error:
      if error.errno not in _OCCUPIED:
        raise
    if not self._overwrite:
      return False
    try:
      replace_directory(self.path, self._target, self._directory.old)
      return True
    except OSError as error:
      if error.errno not in (errno.ENOENT, *_OCCUPIED):
        raise
    return False

  def _busy(self) -> str:
    return (
      f"other exports write to {self._target!r} at the same time: expected "
      "one. Try again when they are done, or choose another path"
    )

  def _check_target(self) -> None:
    if not os.path.lexists(self._target):
      self._check_parent()
      return
    if os.path.islink(self._target) or not os.path.isdir(self._target):
      raise ExportError(
        f"{self._named}, which exists and is no directory: expected none, or "
        "a module's. Choose another path"
      )
    if not self._read(os.listdir):
      return
    if not self._overwrite:
      raise ExportError(
        f"{self._named}, which exists: published modules are immutable (F6). "
        "Choose another path, or replace it with "
        f"{arguments.called('overwrite', True)}"
      )
    found = self._read(self._strangers)
    if found:
      more = f" (and {len(found) - 5} more)" if len(found) > 5 else ""
      raise ExportError(
        f"{self._named}, which is no {self._kind}, or has more in it: "
        f"{', '.join(found[:5])}{more}. All of it would be gone, so it is not "
        "replaced. Choose another path, or move these away"
      )

  def _check_parent(self) -> None:
    """Whether the directories above can be made; the model may be large."""
    parent = os.path.dirname(self._target)
    while not os.path.lexists(parent):
      parent = os.path.dirname(parent)
    code = None
    if not os.path.isdir(parent):
      code = errno.ENOTDIR
    elif not os.access(parent, os.W_OK | os.X_OK):
      code = errno.EACCES
    if code is not None:
      raise ExportError(
        f"cannot write to {parent!r}: {os.strerror(code)}. {_HINTS[code]}"
      )

  def _read(self, look: Callable[[str], list[str]]) -> list[str]:
    """What `look` sees in the target; nothing if it is gone by now."""
    try:
      return look(self._target)
    except FileNotFoundError:
      return []
    except OSError as error:
      raise ExportError(
        f"{self._named}, which cannot be read ({error.strerror}). {_WHERE}"
      ) from error

  def _make_parents(self) -> None:
    missing, parent = [], os.path.dirname(self._target)
    while not os.path.isdir(parent):
      missing.append(parent)
      parent = os.path.dirname(parent)
    for parent in reversed(missing):
      try:
        os.mkdir(parent)
      except FileExistsError:
        if not os.path.isdir(parent):
          raise
      except FileNotFoundError:
        return  # Another export has removed what it had made: try again.
      else:
        self._made_parents.insert(0, parent)

  def _clean_up(self) -> None:
    self._directory.remove()
    for parent in self._made_parents:
      try:
        os.rmdir(parent)
      except OSError:
        break  # Somebody else uses it by now.


def _local_path(path: str | os.PathLike[str]) -> str:
  """The absolute path of a place that modules can be read from again.

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


def _is_out_of_memory(error: Any) -> bool:
  """Python's exception for it, a thread without a stack, or TensorFlow's."""
  return (
    isinstance(error, MemoryError)
    or (isinstance(error, RuntimeError) and "start new thread" in str(error))
    or type(error).__name__ == "ResourceExhaustedError"
  )


def _hint(error: OSError) -> str:
  """What to do about it; TensorFlow's writers give the reason as text."""
  for code, hint in _HINTS.items():
    if error.errno == code or os.strerror(code) in str(error):
      return hint
  return ""
