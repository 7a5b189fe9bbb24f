# SPDX-License-Identifier: Apache-2.0
"""Modules that were made to harm who checks them, through the script.

Each is checked by `check_module`, as it is installed, from within the module's
own directory.
"""

from __future__ import annotations

import concurrent.futures
import itertools
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator

from tests.faults import hostile_archives, hostile_graphs
from tests.faults.attempts import Attempt

_FAULT = "module made to harm, checked from its own directory"
_PROCESSES = 2
_TIMEOUT, _PATIENCE = 20.0, 60.0
_MANY, _DEEP, _HUGE = 20_000, 2500, 2**43
_SCRIPT = """\
import sys
from hub_image_export.command_line.check_module import cli
cli()
"""
Change = Callable[[pathlib.Path], object]


def _cases(canary: str) -> Iterator[tuple[str, Change, str]]:
  """Names, changes of a good module, and what is checked of it."""
  program = f"open({canary!r}, 'w')\n"
  for name in (
    "json",
    "sitecustomize",
    "numpy",
    "tensorflow",
    "hub_image_export",
  ):
    yield f"{name}.py in it", _file(f"{name}.py", program), "."
  graphs = hostile_graphs.graphs(canary)
  reading = hostile_graphs.attach(
    graphs["WriteFile"], hostile_graphs.before_a_variable_is_read
  )
  yield "WriteFile where a variable is read", reading, "."
  dead = hostile_graphs.attach(graphs["WriteFile"], hostile_graphs.nowhere)
  yield "WriteFile that nothing needs", dead, "."
  for name, text in graphs.items():
    change = hostile_graphs.attach(text, hostile_graphs.before_the_output)
    yield name, change, "."
  yield from _odd_files()
  for name in ("a\x1b]0;title\x07", "caf\udce9", "n" * 250):
    yield f"a file {name[:20]!r}", _file(f"assets.extra/{name}", "x"), "."
  yield from _archives()


def _odd_files() -> Iterator[tuple[str, Change, str]]:
  for place in ("saved_model.pb", "variables/variables.index", "pipe"):
    yield f"pipe {place}", _replaced(place, os.mkfifo), "."
    zero = _replaced(place, lambda path: path.symlink_to("/dev/zero"))
    yield f"link {place} to /dev/zero", zero, "."
    itself = _replaced(place, lambda path: path.symlink_to(path))
    yield f"link {place} to itself", itself, "."
  yield "link to /etc", _replaced("x", lambda p: p.symlink_to("/etc")), "."
  yield "socket", _replaced("assets.extra/s", _socket), "."
  for place in (
    "saved_model.pb", "tfhub_module.pb", "variables/variables.index",
    "variables/variables.data-00000-of-00001", "assets.extra/manifest.json",
    "assets.extra/labels.txt",
  ):  # fmt: skip
    yield f"{place} of terabytes", _sparse(place), "."
  yield "many files", _many, "."
  yield "deep directories", _deep, "."


def _archives() -> Iterator[tuple[str, Change, str]]:
  evil = hostile_archives.member("../../outside", b"x")
  gz = hostile_archives.COMPRESSIONS["gz"]
  good = hostile_archives.GOOD + evil
  yield "archive that leads out", _file("m.tar.gz", gz(good)), "m.tar.gz"
  zeros = hostile_archives.zeros_in("gz", 8)
  yield "archive of 8 GB of zeros", _file("m.tar.gz", zeros), "m.tar.gz"


def _file(name: str, content: str | bytes) -> Change:
  data = content.encode() if isinstance(content, str) else content
  return lambda module: (module / name).write_bytes(data)


def _replaced(name: str, make: Callable[[pathlib.Path], object]) -> Change:
  def change(module: pathlib.Path) -> None:
    (module / name).unlink(missing_ok=True)
    make(module / name)

  return change


def _socket(path: pathlib.Path) -> None:
  here = os.open(path.parent, os.O_RDONLY)
  with socket.socket(socket.AF_UNIX) as listener:
    # A socket's path may be 100 characters long; this one is short.
    listener.bind(f"/proc/self/fd/{here}/{path.name}")
  os.close(here)


def _sparse(name: str) -> Change:
  return lambda module: os.truncate(module / name, _HUGE)


def _many(module: pathlib.Path) -> None:
  for i in range(_MANY):
    (module / "assets.extra" / str(i)).touch()


def _deep(module: pathlib.Path) -> None:
  """Deeper than Python's recursion, and than a path may be long."""
  here = os.open(module, os.O_RDONLY)
  for _ in range(_DEEP):
    os.mkdir("deep", dir_fd=here)
    inner = os.open("deep", os.O_RDONLY, dir_fd=here)
    os.close(here)
    here = inner
  os.close(here)


def attempts(good: pathlib.Path, count: int) -> Iterator[Attempt]:
  """Checks copies of the module `good`, the first `count` cases."""
  folder = pathlib.Path(tempfile.mkdtemp(dir=good.parent))
  canary = folder / "canary"
  script = folder / "bin" / "check_module"
  script.parent.mkdir()
  script.write_text(_SCRIPT)
  cases = itertools.islice(_cases(str(canary)), count)

  def one(case: tuple[str, Change, str]) -> Attempt:
    name, change, path = case
    return _FAULT, name, _problem(good, folder, change, [str(script), path])

  with concurrent.futures.ThreadPoolExecutor(_PROCESSES) as pool:
    yield from pool.map(one, cases)
  if canary.exists():
    yield _FAULT, "one of them", f"wrote {canary.name}"


def _problem(
  good: pathlib.Path, folder: pathlib.Path, change: Change, command: list[str]
) -> str:
  place = pathlib.Path(tempfile.mkdtemp(dir=folder))
  module, temporary = place / "module", place / "tmp"
  temporary.mkdir()
  shutil.copytree(good, module)
  change(module)
  before = _state(module)
  script, path = command
  flags = ["--format=json", f"--timeout={_TIMEOUT}"]
  try:
    done = subprocess.run(
      [sys.executable, script, *flags, path],
      cwd=module,
      env={
        **os.environ,
        "PYTHONPATH": str(pathlib.Path(__file__).resolve().parents[2]),
        "TMPDIR": str(temporary),
      },
      capture_output=True,
      text=True,
      errors="replace",
      timeout=_TIMEOUT + _PATIENCE,
    )
    if done.returncode not in (0, 2):
      return f"exit code {done.returncode}: {done.stderr[-300:]}"
    if not all(c.isprintable() or c == "\n" for c in done.stdout):
      return "control characters in the report"
    (report,) = json.loads(done.stdout)
    if not report["findings"]:
      return "nothing was found"
    if _state(module) != before:
      return "the module was changed"
    if os.listdir(temporary):
      return f"left behind: {os.listdir(temporary)}"
  except subprocess.TimeoutExpired:
    return "the check did not end"
  finally:
    subprocess.run(["rm", "-rf", str(place)], check=True)
  return ""


def _state(module: pathlib.Path) -> list[tuple[str, int, int]]:
  """Names, sizes and times at the top of a directory, and one below."""
  found = []
  for folder in (module, module / "variables", module / "assets.extra"):
    with os.scandir(folder) as entries:
      for entry in entries:
        status = entry.stat(follow_symlinks=False)
        found.append((entry.path, status.st_size, status.st_mtime_ns))
  return sorted(found)
