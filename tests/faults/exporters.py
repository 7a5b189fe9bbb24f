# SPDX-License-Identifier: Apache-2.0
"""Has exporters do jobs, and looks at what they left."""

from __future__ import annotations

import atexit
import functools
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from typing import Any

_ROOT = pathlib.Path(__file__).resolve().parents[2]
Contents = dict[str, bytes]


# Mounts of one's own, where the kernel lets users have them.
_NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")


def has_namespaces() -> bool:
  """Whether this user may mount file systems that nobody else sees."""
  command = [*_NAMESPACE, "mount", "-t", "tmpfs", "none", "/mnt"]
  try:
    return not subprocess.run(command, capture_output=True).returncode
  except OSError:
    return False


class Exporters:
  """A process that forks exporters: see `exporter_process.py`."""

  def __init__(self, *, namespace: bool = False) -> None:
    """`namespace`: it may mount file systems, and sees them alone."""
    self._errors = tempfile.TemporaryFile(mode="w+")  # noqa: SIM115
    own = _NAMESPACE if namespace else ()
    self._process = subprocess.Popen(
      [*own, sys.executable, "-m", "tests.faults.exporter_process"],
      cwd=_ROOT,
      env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      stderr=self._errors,
      text=True,
    )
    self._read()

  def close(self) -> None:
    self._process.stdin.close()
    self._process.wait()
    self._process.stdout.close()
    self._errors.close()

  def _read(self) -> str:
    line = self._process.stdout.readline()
    if not line:
      raise RuntimeError(f"the exporters ended:\n{self.log()}")
    return line

  def log(self) -> str:
    """The end of what the exporters have written to stderr so far."""
    self._errors.seek(0)
    return self._errors.read()[-4000:]

  def run(self, *jobs: Any) -> list[dict]:
    """Does the jobs at the same time; returns their results in order."""
    self._process.stdin.write(json.dumps(jobs) + "\n")
    self._process.stdin.flush()
    return json.loads(self._read())

  def command(self, *arguments: object) -> int:
    """Runs a command where the exporters are; returns its exit code."""
    (result,) = self.run(list(map(str, arguments)))
    return result["ended"]

  def seen(self, path: pathlib.Path) -> pathlib.Path:
    """A path of theirs, as this process can see it."""
    root = pathlib.Path(f"/proc/{self._process.pid}/root")
    return root / path.relative_to("/")

  def export(self, target: pathlib.Path, **job: Any) -> dict:
    """One export that has to succeed, to a new path unless `overwrite`."""
    (result,) = self.run({"target": str(target), **job})
    if result["ended"] or result["error"]:
      raise RuntimeError(f"{result}\n{self.log()}")
    return result


@functools.cache
def shared(*, namespace: bool = False) -> Exporters:
  """One for all kinds of faults: it takes seconds to start."""
  exporters = Exporters(namespace=namespace)
  atexit.register(exporters.close)
  return exporters


def contents(path: pathlib.Path) -> Contents | None:
  """All files of a directory by their paths, None where there is nothing."""
  if not os.path.lexists(path):
    return None
  return {
    str(file.relative_to(path)): file.read_bytes()
    for file in sorted(path.rglob("*"))
    if file.is_file()
  }


def judge(
  result: dict,
  words: str,
  before: Contents | None,
  after: Contents | None,
  new: Contents | None = None,
) -> str:
  """Why a fault is lost; the empty string if it is not.

  Args:
    result: of an exporter. It has to be an `ExportError`, or a `ValueError`
      about the argument, that has `words`.
    words: what the user must be told.
    before: what was there before, and has to be there after an error.
    after: what is there now.
    new: what has to be there if there was no error; None if there must be one.
  """
  if result["ended"]:
    return f"the exporter ended with {result['ended']}"
  error = result["error"]
  if error is None and new is None:
    return "the export succeeded"
  clear = error and error.startswith(("ExportError", "ValueError"))
  if error and not (clear and words in error):
    return error
  expected = before if error else new
  if after != expected:
    names = sorted(after or ()), sorted(expected or ())
    return f"after {error}: {names[0]}, expected {names[1]}"
  return ""


class Modules:
  """An old and a new module to compare with, and a room for each fault.

  Attributes:
    exporters: as given.
    old: files of the module that is there before, of value 1.
    new: files of the module that is exported, of value 2.
  """

  def __init__(
    self, exporters: Exporters, directory: pathlib.Path, size: int = 0
  ) -> None:
    self.exporters, self._size = exporters, size
    self._directory, self._old = directory, directory / "old"
    exporters.export(self._old, value=1.0, size=size)
    exporters.export(directory / "new", value=2.0, size=size)
    self.old, self.new = contents(self._old), contents(directory / "new")
    if self.old == self.new:
      raise AssertionError("The modules cannot be told apart.")

  def room(self, *, old: bool) -> pathlib.Path:
    """A new directory; `module` in it is the target, with the old module."""
    room = pathlib.Path(tempfile.mkdtemp(dir=self._directory))
    if old:
      shutil.copytree(self._old, room / "module")
    return room

  def export(self, target: str | pathlib.Path, **job: Any) -> dict:
    """Has an exporter try to export the new module; its result."""
    job = {"target": str(target), "size": self._size, **job}
    return self.exporters.run(job)[0]
