# SPDX-License-Identifier: Apache-2.0
"""Disks that are full at every stage of an export, quotas, no permission.

The small disks are memory file systems in a namespace of the exporters' own,
which users may have without privileges on most machines.
"""

from __future__ import annotations

import itertools
import os
import pathlib
import resource
import tempfile
from collections.abc import Iterator
from typing import Any

from tests.faults.attempts import SKIPPED, Attempt, Scale, Tries, of
from tests.faults.exporters import (
  Contents,
  Exporters,
  Modules,
  contents,
  has_namespaces,
  judge,
  shared,
)

_FULL = "The disk is full"
_TOO_LARGE = "A limit on the size of files"
# Weights that make the checkpoint larger than all else.
_SIZE = 20_000
_NOBODY = 65534
_KINDS = {
  Scale.SHORT: {"overwrite": True},
  Scale.FULL: {"fresh": False, "overwrite": True},
}


class _Volume:
  """A small file system, with a module that is to be overwritten or none."""

  def __init__(
    self, exporters: Exporters, path: pathlib.Path, overwrite: bool
  ) -> None:
    path.mkdir()
    self._exporters, self._path = exporters, path
    self._seen = exporters.seen(path)
    self._job = {
      "target": str(path / "module"),
      "overwrite": overwrite,
      "size": _SIZE,
    }

  def __enter__(self) -> _Volume:
    self._run("mount", "-t", "tmpfs", "none", self._path)
    if self._job["overwrite"]:
      self._exporters.export(self._path / "module", value=1.0)
    return self

  def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
    self._run("umount", self._path)

  def used(self) -> tuple[int, int]:
    """Pages and inodes."""
    status = os.statvfs(self._seen)
    return status.f_blocks - status.f_bfree, status.f_files - status.f_ffree

  def fill(self, options: str) -> tuple[dict, Contents, Contents]:
    """Exports to what `options` leave: the result, before, after."""
    self._run("mount", "-o", f"remount,{options}", self._path)
    before = contents(self._seen)
    (result,) = self._exporters.run(self._job)
    return result, before, contents(self._seen)

  def _run(self, *command: object) -> None:
    if self._exporters.command(*command):
      raise RuntimeError(f"{command} failed: {self._exporters.log()}")


class _Volumes:
  """Makes them, one after the other."""

  def __init__(self, exporters: Exporters, directory: pathlib.Path) -> None:
    self._exporters, self._directory = exporters, directory
    self._count = itertools.count()
    with self.make(overwrite=False) as volume:
      _, _, self.new = volume.fill("size=100m")

  def make(self, *, overwrite: bool) -> _Volume:
    path = self._directory / str(next(self._count))
    return _Volume(self._exporters, path, overwrite)

  def options(self, overwrite: bool) -> dict[str, list[str]]:
    """By what is scarce, mount options from too little to enough."""
    with self.make(overwrite=False) as volume:
      volume.fill("size=100m")
      needed = volume.used()
    with self.make(overwrite=overwrite) as volume:
      used = volume.used()
    pages, inodes = (range(max(u, 1), u + n + 12) for u, n in zip(used, needed))
    return {
      "space": [f"size={n * resource.getpagesize()}" for n in pages[::2]],
      "inodes": [f"nr_inodes={n}" for n in inodes],
    }


def _full(volumes: _Volumes, overwrite: bool, options: list[str]) -> Tries:
  """Tries all `options`, of which some have to suffice and some not."""
  succeeded = set()
  for option in options:
    with volumes.make(overwrite=overwrite) as volume:
      result, before, after = volume.fill(option)
    succeeded.add(result["error"] is None)
    yield option, judge(result, _FULL, before, after, volumes.new)
  if len(options) > 9 and succeeded != {False, True}:
    yield "all", "expected some to suffice, and some not"


def _small_disks(
  exporters: Exporters, directory: pathlib.Path, scale: Scale
) -> Iterator[Attempt]:
  volumes = _Volumes(exporters, directory)
  for kind, overwrite in _KINDS[scale].items():
    for scarce, options in volumes.options(overwrite).items():
      if scale is Scale.SHORT:
        options = options[len(options) // 3 : -1 : len(options) // 3]
      yield from of(
        f"out of {scarce}, {kind}", _full(volumes, overwrite, options)
      )
    yield from of(f"read-only disk, {kind}", _read_only(volumes, overwrite))


def _read_only(volumes: _Volumes, overwrite: bool) -> Tries:
  with volumes.make(overwrite=overwrite) as volume:
    result, before, after = volume.fill("ro")
  yield "ro", judge(result, "Read-only file system", before, after)


def _limited(modules: Modules, scale: Scale, overwrite: bool) -> Tries:
  """Limits on the size of files, up to that of the largest one."""
  largest = max(map(len, modules.new.values()))
  count = 2 if scale is Scale.SHORT else 30
  for i in range(count):
    limit = int(largest * i / count)
    room = modules.room(old=overwrite)
    before = contents(room)
    limits = {"RLIMIT_FSIZE": limit}
    result = modules.export(room / "module", overwrite=overwrite, limits=limits)
    yield f"{limit} bytes", judge(result, _TOO_LARGE, before, contents(room))


def _forbidden(modules: Modules, overwrite: bool) -> Tries:
  room = modules.room(old=overwrite)
  job = {"overwrite": overwrite}
  room.parent.chmod(0o755)
  room.chmod(0o555)
  before = contents(room)
  if not os.geteuid():
    job["user"] = _NOBODY  # Nothing is forbidden to root.
  result = modules.export(room / "module", **job)
  yield "0o555", judge(result, "where you may write", before, contents(room))


def run(scale: Scale) -> Iterator[Attempt]:
  """Small disks, quotas and lacking permission."""
  with tempfile.TemporaryDirectory() as directory:
    modules = Modules(shared(), pathlib.Path(directory))
    for kind, overwrite in _KINDS[scale].items():
      yield from of(
        f"limited size of files, {kind}",
        _limited(modules, scale, overwrite),
      )
      yield from of(
        f"read-only directory, {kind}",
        _forbidden(modules, overwrite),
      )
  if not has_namespaces():
    yield "small disks", "", SKIPPED
    return
  with tempfile.TemporaryDirectory() as directory:
    own = shared(namespace=True)
    yield from _small_disks(own, pathlib.Path(directory), scale)
