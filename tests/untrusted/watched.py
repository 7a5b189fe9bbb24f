# SPDX-License-Identifier: Apache-2.0
"""Watches what happens on the machine while a body runs."""

from __future__ import annotations

import contextlib
import os
import pathlib
import sys
from collections.abc import Iterator

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_FILE_EVENTS = {
  "os.remove": 1, "os.rename": 2, "os.rmdir": 1, "os.mkdir": 1, "os.link": 2,
  "os.symlink": 2, "os.truncate": 1, "os.chmod": 1,
  "shutil.rmtree": 1, "shutil.move": 2, "shutil.copyfile": 2,
}  # fmt: skip
_PROCESS_EVENTS = (
  "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork",
  "os.spawn", "socket.connect", "socket.bind", "socket.getaddrinfo",
  "pickle.find_class", "marshal.loads", "os.kill", "webbrowser.open",
)  # fmt: skip
_active: list[_Watch] = []


class _Watch:
  def __init__(self, folder: str):
    self.folder = os.path.realpath(folder)
    self.events: list[str] = []

  def see(self, event: str, args: tuple) -> None:
    if event in _PROCESS_EVENTS and not _is_of_python(event, args):
      self.events.append(f"{event} {args!r:.200}")
    elif event == "open":
      path, _, flags = args
      if isinstance(flags, int) and flags & _WRITES:
        self._see_path(event, path)
    elif event in _FILE_EVENTS:
      for path in args[: _FILE_EVENTS[event]]:
        self._see_path(event, path)

  def _see_path(self, event: str, path: object) -> None:
    if not isinstance(path, (str, bytes, os.PathLike)):
      return  # A file that is open.
    path = os.path.realpath(os.fsdecode(path))
    if path.endswith((".pyc", os.devnull)) or "__pycache__" in path:
      return
    if not (path + os.sep).startswith(self.folder + os.sep):
      self.events.append(f"{event} {path}")


def _is_of_python(event: str, args: tuple) -> bool:
  """Python unmarshals the modules that it imports."""
  if event != "marshal.loads":
    return False
  frame = sys._getframe(3)
  return "importlib" in frame.f_code.co_filename


def _hook(event: str, args: tuple) -> None:
  for watch in _active:
    watch.see(event, args)


sys.addaudithook(_hook)


def _children() -> set[str]:
  """Processes of this one, however they were started."""
  found: set[str] = set()
  for task in pathlib.Path("/proc/self/task").glob("*/children"):
    with contextlib.suppress(OSError):
      found.update(task.read_text().split())
  return found


def state(folder: str) -> dict[str, tuple[int, int]]:
  """What there is in a folder: size and time of each path."""
  found = {}
  for path in sorted(pathlib.Path(folder).rglob("*")):
    status = path.lstat()
    found[str(path)] = status.st_size, status.st_mtime_ns
  return found


@contextlib.contextmanager
def nothing_happens(folder: str, outside: str) -> Iterator[list[str]]:
  """Gives a list that tells in the end what happened that should not have.

  Args:
    folder: where the body may write.
    outside: a folder that must stay as it is; libraries that are no Python
      are watched there alone.
  """
  watch = _Watch(folder)
  before, children = state(outside), _children()
  _active.append(watch)
  try:
    yield watch.events
  finally:
    _active.remove(watch)
    if state(outside) != before:
      watch.events.append(f"{outside} changed")
    new = _children() - children
    if new:
      watch.events.append(f"processes {new} started")
