# SPDX-License-Identifier: Apache-2.0
"""Targets with odd names, of any length, of any sort, and in odd places."""

from __future__ import annotations

import os
import pathlib
import tempfile
from collections.abc import Callable, Iterator

from tests.faults.attempts import SKIPPED, Attempt, Scale, Tries, of
from tests.faults.exporters import (
  Modules,
  contents,
  has_namespaces,
  judge,
  shared,
)

_NAMES = (
  "two words",
  " ",
  "ünïcödé",
  "画像モジュール",
  "🖼",
  "new\nline",
  "tab\there",
  "-rf",
  "--overwrite",
  "]{}(1)&;|<>#~!",
  "%s$HOME`id`",
  "quote'\"",
  "module.staging-00000000-00000000",
  ".hidden",
  "n" * 190,
  "n" * 191,
  "n" * 255,
  "ü" * 127,
)


def _link(to: str) -> Callable[[pathlib.Path], object]:
  return lambda path: path.symlink_to(to)


def _directory_of_work(path: pathlib.Path) -> None:
  path.mkdir()
  (path / "thesis.txt").write_text("years of work")


def _file(path: pathlib.Path) -> None:
  path.write_text("text")


# By name: what makes a path, where below it the target is, and what is told.
_PARENT = "A parent of the export path is a file"
_REFUSED = {
  "file": (_file, "", "no directory"),
  "link to a directory": (_link("."), "", "no directory"),
  "dangling link": (_link("nothing"), "", "no directory"),
  "link to itself": (_link("module"), "", "no directory"),
  "pipe": (os.mkfifo, "", "no directory"),
  "no module": (_directory_of_work, "", ""),
  "parent is a file": (_file, "1", _PARENT),
  "parent is a dangling link": (_link("nothing"), "1", _PARENT),
  "file far above": (_file, "a/b/1", _PARENT),
  "root": (_file, "/", ""),
  "a name that is too long": (
    lambda path: None,
    "../" + "n" * 256,
    "Choose a shorter path",
  ),
}
_LENGTHS = (1000, 3000, 3900, *range(3960, 4100, 4), 5000, 70000)


def _named(modules: Modules, names: tuple[str, ...]) -> Tries:
  """A module of any name, fresh and then once more."""
  for name in names:
    target = modules.room(old=False) / name
    for overwrite in (False, True):
      result = modules.export(target, overwrite=overwrite)
      why = result["error"] or ""
      if contents(target) != modules.new:
        why = f"{why}: there is {contents(target)}"
      elif os.listdir(target.parent) != [name]:
        why = f"{why}: there are {os.listdir(target.parent)}"
      yield f"{name!r}, overwrite={overwrite}", why


def _path_of_length(room: pathlib.Path, length: int) -> str:
  path = str(room)
  while length - len(path) > 200:
    path += "/" + "d" * 99
  return path + "/" + "m" * (length - len(path) - 1)


def _long(modules: Modules, lengths: tuple[int, ...]) -> Tries:
  """Paths up to what the system takes, and beyond; parents are made."""
  for length in lengths:
    room = modules.room(old=False)
    target = _path_of_length(room, length)
    result = modules.export(target)
    after = contents(room)
    top = f"{os.path.relpath(target, room)}/"
    new = {top + name: data for name, data in modules.new.items()}
    why = judge(result, "Choose a shorter", {}, after, new)
    if result["error"] and os.listdir(room):
      why = f"left behind: {os.listdir(room)}"
    yield f"{length} bytes", why


def _refused(modules: Modules) -> Tries:
  for name, (make, below, words) in _REFUSED.items():
    for overwrite in (False, True):
      room = modules.room(old=False)
      target = room / "module"
      make(target)
      target = pathlib.Path(os.path.normpath(target / below))
      before = _tree(room)
      result = modules.export(target, overwrite=overwrite)
      why = judge(result, words, before, _tree(room))
      yield f"{name}, overwrite={overwrite}", why


def _tree(room: pathlib.Path) -> dict[str, bytes]:
  """All below a directory: kinds, targets of links, texts."""
  found = {}
  for path in room.rglob("*"):
    what = str(path.lstat().st_mode)
    if path.is_symlink():
      what += os.readlink(path)
    elif path.is_file():
      what += path.read_text()
    found[str(path.relative_to(room))] = what.encode()
  return found


def _missing_parents(modules: Modules) -> Tries:
  room = modules.room(old=False)
  for target in (room / "a" / "1", room / "b" / "c" / "d" / "1"):
    modules.export(target)
    whole = contents(target) == modules.new
    yield str(target.relative_to(room)), "" if whole else "not whole"
  (room / "link").symlink_to("a", target_is_directory=True)
  modules.export(room / "link" / "2")
  whole = contents(room / "a" / "2") == modules.new
  yield "link to a directory", "" if whole else "not whole"


def _other_disks(modules: Modules) -> Tries:
  """A disk other than that of the temporary directory, and mount points."""
  room, exporters = modules.room(old=False), modules.exporters
  (room / "disk").mkdir()
  mount = ["mount", "-t", "tmpfs", "none", str(room / "disk")]
  exporters.command(*mount)
  disk = exporters.seen(room / "disk")
  for overwrite in (False, True):
    result = modules.export(room / "disk" / "module", overwrite=overwrite)
    why = result["error"] or ""
    if contents(disk / "module") != modules.new:
      why = f"{why}: not whole"
    yield f"another disk, overwrite={overwrite}", why
  exporters.command("umount", room / "disk")
  exporters.command(*mount)
  result = modules.export(room / "disk")
  words = "A mount point cannot be replaced"
  yield "an empty mount point", judge(result, words, {}, contents(room))


def _layers(modules: Modules) -> Tries:
  """An old module in a lower layer, as in the image of a container."""
  lower, room = modules.room(old=True), modules.room(old=False)
  exporters = modules.exporters
  for name in ("upper", "work", "merged"):
    (room / name).mkdir()
  options = f"lowerdir={lower},upperdir={room}/upper,workdir={room}/work"
  merged = room / "merged"
  if exporters.command("mount", "-t", "overlay", "-o", options, "none", merged):
    return
  result = modules.export(merged / "module", overwrite=True)
  after = contents(exporters.seen(merged))
  before = {f"module/{name}": data for name, data in modules.old.items()}
  new = {f"module/{name}": data for name, data in modules.new.items()}
  words = "A directory of a lower layer cannot be replaced"
  yield "overwrite", judge(result, words, before, after, new)


def run(scale: Scale) -> Iterator[Attempt]:
  """Names, lengths, sorts of target, and places."""
  full = scale is Scale.FULL
  with tempfile.TemporaryDirectory() as directory:
    modules = Modules(shared(), pathlib.Path(directory))
    names = _NAMES if full else _NAMES[5:17:11]
    lengths = _LENGTHS if full else _LENGTHS[20:22]
    yield from of("odd names", _named(modules, names))
    yield from of("long paths", _long(modules, lengths))
    yield from of("missing parents", _missing_parents(modules))
    if full:  # In the suite these have tests of their own.
      yield from of("no target", _refused(modules))
  if not full:
    return
  if not has_namespaces():
    yield "other disks", "", SKIPPED
    return
  with tempfile.TemporaryDirectory() as directory:
    modules = Modules(shared(namespace=True), pathlib.Path(directory))
    yield from of("other disks", _other_disks(modules))
    yield from of("lower layer", _layers(modules))
