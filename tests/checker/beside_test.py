# SPDX-License-Identifier: Apache-2.0
"""Work in a process of its own gives its text, and ends as it does."""

from __future__ import annotations

import subprocess
import sys

import pytest

_IMPORTS = """
import os, threading
from hub_image_export.checker.running import beside
"""


def _run(code):
  command = [sys.executable, "-c", _IMPORTS + code]
  return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.mark.skipif(sys.platform != "linux", reason="Forks elsewhere.")
@pytest.mark.parametrize(
  ("code", "printed"),
  [
    ("wait = beside.begin(lambda: str(os.getpid()))", "False"),
    # A lock that another thread holds would never open in a fork.
    (
      "held = threading.Event()\n"
      "thread = threading.Thread(target=held.wait)\n"
      "thread.start()\n"
      "wait = beside.begin(lambda: str(os.getpid()))\n"
      "held.set()",
      "True",
    ),
  ],
)
def test_is_in_this_process(code, printed):
  done = _run(f"{code}\nprint(wait() == str(os.getpid()))")
  assert done.stdout.split() == [printed], done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="Forks elsewhere.")
@pytest.mark.parametrize(
  ("end", "status"), [("os.kill(os.getpid(), 9)", -9), ("os._exit(3)", 3)]
)
def test_ends_this_process_as_it_ended(end, status):
  done = _run(f"beside.begin(lambda: {end})()\nprint('still there')")
  assert (done.returncode, done.stdout) == (status, "")
