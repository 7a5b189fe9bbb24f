# SPDX-License-Identifier: Apache-2.0
"""Starts processes that judge, asks them, and reads what they found."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

from hub_image_export.checker.report import Findings

_WORKER = "hub_image_export.checker.worker"
_MAX_RESULT_BYTES = 2**24
_RESULTS, _ERRORS = "results", "stderr"


class Worker:
  """A process that imports TensorFlow, and then judges what it is given."""

  def __init__(self) -> None:
    """Starts it, and does not wait.

    The process's working directory is a folder of its own: `python -m` imports
    from there first, and a user may stand in the module's directory, which may
    hold a `json.py`.
    """
    self._folder = tempfile.TemporaryDirectory(prefix="check_module_")
    with open(self._file(_ERRORS), "wb") as stderr:
      self._process = subprocess.Popen(
        [sys.executable, "-m", _WORKER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        cwd=self._folder.name,
        env=_environment(),
        start_new_session=True,
        text=True,
      )

  def _file(self, name: str) -> str:
    return os.path.join(self._folder.name, name)

  @property
  def ended(self) -> bool:
    return self._process.poll() is not None

  def check(
    self, directory: str, static: bool, timeout: float, findings: Findings
  ) -> dict[str, Any]:
    """Checks a directory.

    Args:
      directory: a module's directory, or something taken for one.
      static: whether to run nothing.
      timeout: seconds, after which the process is ended.
      findings: gets what was found.

    Returns:
      The summary.

    Raises:
      ImportError: TensorFlow or tensorflow_hub cannot be used.
    """
    results = self._file(_RESULTS)
    with contextlib.suppress(FileNotFoundError):
      os.remove(results)
    reply = self._ask(
      dict(
        directory=os.path.abspath(directory), static=static, results=results
      ),
      timeout,
    )
    if "unusable" in reply:
      raise ImportError(reply["unusable"])
    found, told = _read(results)
    for finding in found:
      findings.add(**finding)
    if not told.get("done"):
      status, stage = reply["status"], told.get("stage")
      if not stage and self.ended and status not in (None, -signal.SIGKILL):
        reason = _tail(self._file(_ERRORS))
        raise ImportError(f"The checking process could not start: {reason}")
      text = (
        f"TensorFlow ended with status {status}, as it does when it crashes or "
        "runs out of memory; expected a module that it can read and run."
      )
      if status is None:
        text = (
          f"It did not end within {timeout:g} seconds; expected it to. Raise "
          "the time limit if the module is large."
        )
      findings.add("unloadable", stage or "starting", text)
    return told.get("summary", {})

  def _ask(self, request: dict[str, Any], timeout: float) -> dict[str, Any]:
    """What the process tells of a request; its status, or None for too late."""
    assert self._process.stdin and self._process.stdout
    with contextlib.suppress(BrokenPipeError):
      self._process.stdin.write(json.dumps(request) + "\n")
      self._process.stdin.flush()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
      answer = pool.submit(self._process.stdout.readline)
      try:
        line = answer.result(timeout)
      except concurrent.futures.TimeoutError:
        return {"status": None}
      finally:
        if not answer.done():
          self.kill()
    return json.loads(line) if line else {"status": self._process.wait()}

  def kill(self) -> None:
    """Ends the process and whatever it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
      if hasattr(os, "killpg"):
        os.killpg(self._process.pid, signal.SIGKILL)
      else:
        self._process.kill()
    self._process.wait()

  def close(self) -> None:
    self.kill()
    for pipe in (self._process.stdin, self._process.stdout):
      if pipe:
        # What could not be told to a process that ended is told to nobody.
        with contextlib.suppress(BrokenPipeError):
          pipe.close()
    self._folder.cleanup()


class Workers:
  """Processes for several threads to use, one module after another."""

  def __init__(self) -> None:
    self._lock = threading.Lock()
    self._wanted = 0
    self._waiting: list[Worker] = []
    self._busy: set[Worker] = set()

  @contextlib.contextmanager
  def prepared(self) -> Iterator[None]:
    """Starts a process, and lets those that are used wait to be used again.

    When the last such block is left, all of them end.
    """
    with self._lock:
      self._wanted += 1
      if not self._waiting:
        self._waiting.append(Worker())
    try:
      yield
    finally:
      with self._lock:
        self._wanted -= 1
        ended = [] if self._wanted else self._waiting
        self._waiting = self._waiting if self._wanted else []
      for worker in ended:
        worker.close()

  @contextlib.contextmanager
  def one(self) -> Iterator[Worker]:
    """One that waits, or a new one."""
    with self._lock:
      worker = self._waiting.pop() if self._waiting else Worker()
      self._busy.add(worker)
    try:
      yield worker
    finally:
      with self._lock:
        self._busy.remove(worker)
        again = self._wanted and not worker.ended
        if again:
          self._waiting.append(worker)
      if not again:
        worker.close()

  def end(self) -> None:
    """Ends the processes that are used: their modules are given up."""
    with self._lock:
      for worker in self._busy:
        worker.kill()


def _environment() -> dict[str, str]:
  """Of this process, with this package, without its accelerators."""
  here = str(pathlib.Path(__file__).resolve().parents[2])
  paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
  # An empty or relative one would be looked for in another directory.
  paths = [here, *(os.path.abspath(path) for path in paths if path)]
  return {
    **os.environ,
    "PYTHONPATH": os.pathsep.join(paths),
    "CUDA_VISIBLE_DEVICES": "-1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    # TensorFlow 2.15 imports distutils. That of setuptools takes a tenth of a
    # second; Python has its own up to 3.11.
    **({"SETUPTOOLS_USE_DISTUTILS": "stdlib"} if _has_distutils() else {}),
    # NumPy's threads would start at its import, before the process forks.
    "OPENBLAS_NUM_THREADS": "1",
  }


def _has_distutils() -> bool:
  library = pathlib.Path(os.__file__).parent
  return (library / "distutils" / "__init__.py").exists()


def _read(path: str) -> tuple[list[dict[str, str]], dict[str, Any]]:
  """Findings, and what else the worker wrote, up to an unfinished line."""
  found: list[dict[str, str]] = []
  told: dict[str, Any] = {}
  if os.path.exists(path):
    with open(path, encoding="utf-8", errors="replace") as file:
      for line in file.read(_MAX_RESULT_BYTES).splitlines():
        try:
          content = json.loads(line)
        except ValueError:
          break
        if "finding" in content:
          found.append(content["finding"])
        else:
          told.update(content)
  return found, told


def _tail(path: str) -> str:
  with open(path, "rb") as file:
    lines = file.read(_MAX_RESULT_BYTES).decode("utf-8", "replace").split("\n")
  return next((line for line in reversed(lines) if line.strip()), "no reason")
