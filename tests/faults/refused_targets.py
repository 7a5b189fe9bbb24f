"""Targets that no module can be exported to."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable


def _file(room: pathlib.Path) -> pathlib.Path:
  (room / "module").write_text("text")
  return room / "module"


def _link_to_directory(room: pathlib.Path) -> pathlib.Path:
  (room / "directory").mkdir()
  (room / "module").symlink_to("directory")
  return room / "module"


def _dangling_link(room: pathlib.Path) -> pathlib.Path:
  (room / "module").symlink_to("nothing")
  return room / "module"


def _link_to_itself(room: pathlib.Path) -> pathlib.Path:
  (room / "module").symlink_to("module")
  return room / "module"


def _pipe(room: pathlib.Path) -> pathlib.Path:
  os.mkfifo(room / "module")
  return room / "module"


def _no_module(room: pathlib.Path) -> pathlib.Path:
  (room / "module").mkdir()
  (room / "module" / "thesis.txt").write_text("years of work")
  return room / "module"


def _parent_is_a_file(room: pathlib.Path) -> pathlib.Path:
  return _file(room) / "1"


def _parent_is_a_dangling_link(room: pathlib.Path) -> pathlib.Path:
  return _dangling_link(room) / "1"


def _parent_is_a_file_far_above(room: pathlib.Path) -> pathlib.Path:
  return _file(room) / "a" / "b" / "1"


def _root(room: pathlib.Path) -> pathlib.Path:
  return pathlib.Path("/")


def _a_name_that_is_too_long(room: pathlib.Path) -> pathlib.Path:
  return room / ("n" * 256)


# From what makes a target in a directory to what the user must be told.
REFUSED: dict[Callable[[pathlib.Path], pathlib.Path], str] = {
  _file: "no directory",
  _link_to_directory: "no directory",
  _dangling_link: "no directory",
  _link_to_itself: "no directory",
  _pipe: "no directory",
  _no_module: "",
  _parent_is_a_file: "A parent of the export path is a file",
  _parent_is_a_dangling_link: "A parent of the export path is a file",
  _parent_is_a_file_far_above: "A parent of the export path is a file",
  _root: "",
  _a_name_that_is_too_long: "Choose a shorter path",
}
