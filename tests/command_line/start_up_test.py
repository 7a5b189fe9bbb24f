# SPDX-License-Identifier: Apache-2.0
"""Only TensorFlow's chatter is kept off the screen, whatever happens."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

import hub_image_export as hie

_ROOT = pathlib.Path(hie.__file__).parents[1]
_CHATTER = [
  "WARNING: All log messages before absl::InitializeLog() is called are "
  "written to STDERR",
  "I0000 00:00:1795656790.754575 1799 port.cc:153] oneDNN custom operations",
  "W0000 00:00:1795656790.754575 1799 gpu.cc:1] Cannot dlopen some libraries",
  "2026-11-26 01:02:03.456: I tensorflow/core/util/port.cc:113] oneDNN",
  "E0000 00:00:1795656790.754575 1799 cuda_fft.cc:485] Unable to register "
  "cuFFT factory: Attempting to register factory for plugin cuFFT",
  "2026-11-26 04:53:23.314204: E external/local_xla/cuda_dnn.cc:9261] Unable "
  "to register cuDNN factory: Attempting to register factory for plugin",
  "E0000 00:00:1795656790.754575 1799 cuda_platform.cc:52] failed call to "
  "cuInit: INTERNAL: CUDA error: Failed call to cuInit: UNKNOWN ERROR (303)",
  "WARNING: package sun.security.action not in java.base",
]
_ERRORS = [
  "E0000 00:00:1795656790.754575 1799 disk.cc:1] No space left on device",
  "F0000 00:00:1795656790.754575 1799 cpu.cc:1] built for other CPUs",
  "2026-11-26 01:02:03.456: E tensorflow/core/common.cc:7] out of memory",
  "Illegal instruction",
  "Indeed: I0000 is what the user's own code prints",
]
_PROGRAM = """
import os, sys
from hub_image_export.command_line import start_up
with start_up.without_chatter():
  for line in {lines!r}:
    os.write(2, line.encode() + b"\\n")
  os.write(2, b"the last")
  print("from Python", file=sys.stderr)
  {end}
print("after", file=sys.stderr)
"""


def _stderr(lines, end="", **variables):
  """What of `lines`, written to file descriptor 2, comes out."""
  done = subprocess.run(
    [sys.executable, "-c", _PROGRAM.format(lines=lines, end=end)],
    env={
      **{k: v for k, v in os.environ.items() if "MIN_LOG" not in k},
      "PYTHONPATH": str(_ROOT),
      **variables,
    },
    capture_output=True,
    text=True,
    timeout=60,
  )
  assert not done.stdout
  return done.stderr


def test_errors_are_told_and_chatter_is_not():
  err = _stderr([*_CHATTER, *_ERRORS])
  assert not [line for line in _CHATTER if line in err]
  assert not [line for line in _ERRORS if line not in err]
  for words in ("the last", "from Python", "after"):
    assert words in err


def test_a_bar_of_progress_is_shown_before_its_line_ends():
  bar = "time.sleep(.1); os.write(2, b'\\r[Stage 0:=>')"
  seen = "time.sleep(.1); print('then', file=sys.stderr)"
  err = _stderr([*_CHATTER, "begun"], f"import time; {bar}; {seen}")
  assert err.index("[Stage 0:=>") < err.index("then")


@pytest.mark.parametrize("end", ["os.abort()", "os._exit(3)", "1 / 0"])
def test_the_last_words_before_a_crash(end):
  err = _stderr(_ERRORS, end)
  assert not [line for line in _ERRORS if line not in err]
  assert ("ZeroDivisionError" in err) == (end == "1 / 0")


@pytest.mark.parametrize(("level", "left"), [("0", 8), ("1", 1), ("3", 0)])
def test_the_level_that_the_user_asks_for(level, left):
  err = _stderr(_CHATTER, TF_CPP_MIN_LOG_LEVEL=level)
  assert len([line for line in _CHATTER if line in err]) == left


def test_what_the_users_code_has_started_is_not_waited_for():
  start = "import subprocess; subprocess.Popen(['sleep', '30'])"
  program = _PROGRAM.format(lines=_ERRORS, end=start)
  process = subprocess.Popen(
    [sys.executable, "-c", program],
    env={**os.environ, "PYTHONPATH": str(_ROOT)},
    stderr=subprocess.DEVNULL,
  )
  assert process.wait(10) == 0


def test_nothing_but_our_own_lines(tmp_path):
  """Of a run that needs TensorFlow, as a shell sees it."""
  (tmp_path / "nets.py").write_text("def net(x): return x.missing\n")
  variables = {k: v for k, v in os.environ.items() if "MIN_LOG" not in k}
  done = subprocess.run(
    [sys.executable, "-m", "hub_image_export", "--model=nets.py:net",
     "--height=8", "--width=6", "--export_path=m"],
    cwd=tmp_path,
    env={**variables, "PYTHONPATH": str(_ROOT)},
    capture_output=True,
    text=True,
    timeout=300,
  )  # fmt: skip
  assert done.returncode == 1
  (line,) = done.stderr.splitlines()
  assert line.startswith("export_module: function 'net' raised")
  assert line.endswith("(nets.py:1, in net)")
