# SPDX-License-Identifier: Apache-2.0
"""Where a module is written: a locked directory beside its target.

  .{name}.staging-{machine}-{random}/
    hub_image_export.lock   locked by the exporter for as long as it lives
    module/                 what is being written
    old/                    an old module, between the two renames of a swap

The kernel lets go of the lock of a process that dies. So a directory whose
lock can be had is stale, and the next export to the same target removes it.
What cannot be locked is left alone: it may be alive.

Some shared file systems keep locks to the machine that took them: what another
machine made is stale only after a day without a change.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
import platform
import re
import secrets
import shutil
import stat
import time

from absl import logging

from hub_image_export import contract
from hub_image_export.files import file_lock

_LOCK = "hub_image_export.lock"
_OLD = "old"
# No more bytes of the target's name: names may have 255 with all the rest.
_NAME_BYTES = 190
_IDLE_SECONDS = 24 * 60 * 60
# What a module of each format has in its directory: the TF2 format is told from
# a SavedModel of somebody's own by the manifest.
_OF_FORMATS = (
  (contract.SAVED_MODEL_FILE, contract.MODULE_DEF_FILE),
  (
    contract.SAVED_MODEL_FILE,
    contract.FINGERPRINT_FILE,
    f"{contract.EXTRA_ASSETS_DIR}/manifest.json",
  ),
)
_FOLDERS = (
  contract.VARIABLES_DIR,
  contract.ASSETS_DIR,
  contract.EXTRA_ASSETS_DIR,
)
_FILES = re.compile(
  rf"{contract.VARIABLES_PREFIX}\.(index|data-\d{{5}}-of-\d{{5}})"
  rf"|{contract.ASSETS_DIR}/[^/]+"
  rf"|{re.escape(contract.EXTRA_ASSETS_DIR)}/(manifest\.json|golden\.json"
  r"|labels\.txt)"
)
_BOOT_ID = pathlib.Path("/proc/sys/kernel/random/boot_id")


class StagingDirectory:
  """A directory that is ours for as long as this process lives.

  Attributes:
    path: the directory.
    module: where to write.
    old: where the old module may be put while it is replaced: it is put back
      if the target is missing in the end.
  """

  def __init__(self, target: str) -> None:
    """Nothing is made yet; `target` is an absolute path."""
    self._target = target
    self._lock: int | None = None
    self._choose_name()

  def _choose_name(self) -> None:
    parent, name = os.path.split(self._target)
    own = f"{_prefix(name)}{_machine()}-{secrets.token_hex(4)}"
    self.path = os.path.join(parent, own)
    self.module = os.path.join(self.path, "module")
    self.old = os.path.join(self.path, _OLD)

  def make(self) -> bool:
    """Makes and locks it; False if it went away meanwhile: try again.

    Another export may clean it away before it is locked, and may remove the
    parents that it had made.
    """
    self._choose_name()
    lock = os.path.join(self.path, _LOCK)
    try:
      os.mkdir(self.path)
      self._lock = os.open(
        lock, file_lock.FLAGS | os.O_CREAT | os.O_EXCL, 0o666
      )
      if file_lock.take(self._lock) is False or not file_lock.is_at(
        self._lock, lock
      ):
        self._unlock()
        return False
      os.mkdir(self.module)
    except (FileExistsError, FileNotFoundError):
      self._unlock()
      return False
    return True

  def remove(self) -> None:
    """Deletes it; an old module whose target is missing is put back."""
    try:
      self._remove()
    except BaseException:  # Ctrl-C, say, in the midst of it.
      self._remove()
      raise
    finally:
      self._unlock()

  def _remove(self) -> None:
    if self._lock is not None:
      with contextlib.suppress(OSError):
        _dispose(self.path, self._target)
      self._unlock()
    _remove_empty(self.path)

  def _unlock(self) -> None:
    if self._lock is not None:
      lock, self._lock = self._lock, None
      os.close(lock)


def clean_stale(target: str) -> None:
  """Removes what killed exports to `target`, an absolute path, have left.

  A module that a killed swap had moved away is put back. What is alive, what
  other users made, and what cannot be removed is left alone.
  """
  parent, name = os.path.split(target)
  pattern = re.compile(re.escape(_prefix(name)) + "([0-9a-f]{8})-[0-9a-f]{8}")
  try:
    entries = os.listdir(parent)
  except OSError:
    return
  for entry in entries:
    match = pattern.fullmatch(entry)
    if match:
      path = os.path.join(parent, entry)
      with contextlib.suppress(OSError):
        _clean(path, target, here=match.group(1) == _machine())


def _clean(path: str, target: str, *, here: bool) -> None:
  """Removes one directory if it is stale; `here`: this machine made it."""
  status = os.lstat(path)
  if not stat.S_ISDIR(status.st_mode) or status.st_uid != _user(status):
    return
  file = os.path.join(path, _LOCK)
  try:
    lock = os.open(file, file_lock.FLAGS)
  except FileNotFoundError:
    os.rmdir(path)  # Only if it is empty. Who makes it just now tries again.
    return
  try:
    stale = (
      file_lock.take(lock)
      and file_lock.is_at(lock, file)
      and (here or _is_idle(path))
    )
    if stale:
      logging.info("Removing %s, left by an export that was killed", path)
      _dispose(path, target)
  finally:
    os.close(lock)
  if stale:
    _remove_empty(path)


def _dispose(path: str, target: str) -> None:
  """Deletes all but the lock, and what may be the last of an old module."""
  _delete(path, keep=(_LOCK, _OLD))
  old = os.path.join(path, _OLD)
  if not os.path.isdir(old):
    return
  if _put_back(old, target):
    logging.warning("%s was missing: the old module is put back", target)
  elif is_module(target):
    # What is under that name is whole, always.
    os.rename(old, os.path.join(path, "superseded"))
    _delete(path, keep=(_LOCK,))
  else:
    logging.warning("%s is the module that was at %s: kept", old, target)


def _delete(path: str, keep: tuple[str, ...]) -> None:
  for name in set(os.listdir(path)).difference(keep):
    shutil.rmtree(os.path.join(path, name), ignore_errors=True)


def _put_back(old: str, target: str) -> bool:
  try:
    os.rename(old, target)
  except OSError:
    return False
  return True


def _remove_empty(path: str) -> None:
  """Removes it and its lock if nothing else is left in it.

  The lock is not held any more: network file systems keep files that are
  open. Others who would take it now find nothing to do.
  """
  with contextlib.suppress(OSError):
    if os.listdir(path) == [_LOCK]:
      os.unlink(os.path.join(path, _LOCK))
    os.rmdir(path)


def is_module(path: str) -> bool:
  """Whether a module is there, whatever else is."""
  return any(
    all(os.path.exists(os.path.join(path, name)) for name in names)
    for names in _OF_FORMATS
  )


def strangers(path: str) -> list[str]:
  """What makes a directory more, or less, than a module alone (F1).

  Whoever replaces it would delete that: checkpoints and notes beside a
  SavedModel, say.

  Raises:
    OSError: it cannot be read.
  """
  folders, files, found = [""], set(), []
  while folders:
    folder = folders.pop()
    with os.scandir(os.path.join(path, folder)) as entries:
      for entry in entries:
        name = folder + entry.name
        if name in _FOLDERS and entry.is_dir(follow_symlinks=False):
          folders.append(name + "/")
        elif entry.is_file(follow_symlinks=False):
          files.add(name)
        else:
          found.append(name)
  needed = next((n for n in _OF_FORMATS if files.issuperset(n)), _OF_FORMATS[0])
  missing = [f"no {name}" for name in sorted(set(needed) - files)]
  found += [n for n in files.difference(needed) if not _FILES.fullmatch(n)]
  return missing + sorted(found)


def _prefix(name: str) -> str:
  """What staging directories of one target, and of no other, begin with."""
  encoded = os.fsencode(name)
  if len(encoded) > _NAME_BYTES:
    # Never as short as a name that is not shortened.
    head = encoded[:_NAME_BYTES].decode("utf-8", "ignore")
    name = f"{head}-{hashlib.sha256(encoded).hexdigest()[:16]}"
  return f".{name}.staging-"


def _machine() -> str:
  """Names the kernel that keeps the locks, with 8 hexadecimal digits."""
  try:
    name = _BOOT_ID.read_bytes()
  except OSError:
    name = platform.node().encode()
  return hashlib.sha256(name).hexdigest()[:8]


def _user(status: os.stat_result) -> int:
  return os.geteuid() if hasattr(os, "geteuid") else status.st_uid


def _is_idle(path: str) -> bool:
  """Whether nothing in it has changed for a day."""
  changed = [os.lstat(path).st_mtime]
  for folder, folders, files in os.walk(path):
    changed += [
      os.lstat(os.path.join(folder, name)).st_mtime for name in folders + files
    ]
  return max(changed) < time.time() - _IDLE_SECONDS
