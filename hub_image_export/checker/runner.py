# SPDX-License-Identifier: Apache-2.0
"""Starts the process that checks, waits for it, and reads what it found."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
from typing import Any

from hub_image_export.checker.report import Findings

_WORKER = "hub_image_export.checker.worker"
_MAX_RESULT_BYTES = 2**24
_RESULTS, _ERRORS = "results", "stderr"


def check_in_subprocess(
  directory: str, static: bool, timeout: float, findings: Findings
) -> dict[str, Any]:
  """Checks a directory in a process of its own.

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
  with tempfile.TemporaryDirectory(prefix="check_module_") as folder:
    request = {"directory": os.path.abspath(directory), "static": static}
    status = _run(folder, request, timeout)
    found, told = _read(os.path.join(folder, _RESULTS))
    if "unusable" in told:
      raise ImportError(told["unusable"])
    for finding in found:
      findings.add(**finding)
    if not told.get("done"):
      stage = told.get("stage")
      if not stage and status not in (None, -signal.SIGKILL):
        reason = _tail(os.path.join(folder, _ERRORS))
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


def _run(folder: str, request: dict[str, Any], timeout: float) -> int | None:
  """Runs the worker; its exit status, or None if it took too long.

  The worker's working directory is `folder`: `python -m` imports from there
  first, and a user may stand in the module's directory, which may hold a
  `json.py`.
  """
  results = os.path.join(folder, _RESULTS)
  command = [sys.executable, "-m", _WORKER, results, json.dumps(request)]
  with open(os.path.join(folder, _ERRORS), "wb") as stderr:
    process = subprocess.Popen(
      command,
      stdin=subprocess.DEVNULL,
      stdout=subprocess.DEVNULL,
      stderr=stderr,
      cwd=folder,
      env=_environment(),
      start_new_session=True,
    )
    try:
      return process.wait(timeout)
    except subprocess.TimeoutExpired:
      return None
    finally:
      if process.poll() is None:
        _kill(process)


def _kill(process: subprocess.Popen) -> None:
  """Ends the worker and whatever it started."""
  with contextlib.suppress(ProcessLookupError, PermissionError):
    if hasattr(os, "killpg"):
      os.killpg(process.pid, signal.SIGKILL)
    else:
      process.kill()
  process.wait()


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
  }


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
