# SPDX-License-Identifier: Apache-2.0
"""Fresh processes: each measurement has one, so that none warms up another."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[1]
_ENVIRONMENT = {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT)}
_TAIL = 3000


def run_python(*arguments: str) -> str:
  """What a process with this interpreter prints.

  Raises:
    RuntimeError: it failed; with the end of what it said.
  """
  done = subprocess.run(
    [sys.executable, *arguments],
    cwd=ROOT,
    env={**os.environ, **_ENVIRONMENT},
    capture_output=True,
    text=True,
  )
  if done.returncode:
    raise RuntimeError(
      f"{' '.join(arguments)} exited with {done.returncode}: "
      f"{done.stderr[-_TAIL:]}"
    )
  return done.stdout


def run(module: str, **flags: Any) -> dict[str, Any]:
  """The result that `python -m module --flag=value …` told as its last line."""
  arguments = [f"--{name}={value}" for name, value in flags.items()]
  return json.loads(run_python("-m", module, *arguments).splitlines()[-1])
