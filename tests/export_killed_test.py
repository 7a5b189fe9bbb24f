"""F6: killing an export at any moment leaves no module, or a whole one.

What SIGKILL leaves is what lies on the disk at that moment, since a killed
process does nothing more. So one process is stopped at many moments of its
exports, and looked at; and at last it is killed in earnest.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import hub_image_export as hie
from tests import function_sources
from tests.consumer import Consumer

_ROOT = pathlib.Path(__file__).resolve().parents[1]
_MOMENTS = 15


def make_spec(value):
  net = function_sources.Net()
  net.mean.assign([value] * 5)
  return hie.make_feature_vector_module(net, 12, 10)


_PROGRAM = """
import sys
from tests.export_killed_test import make_spec
spec = make_spec(2.0)
print("ready", flush=True)
for line in sys.stdin:
  spec.export(line.strip(), overwrite=True)
  print("done", flush=True)
"""


class _Exporter:
  """A process that exports when it is told to."""

  def __init__(self):
    self._process = subprocess.Popen(
      [sys.executable, "-c", _PROGRAM],
      cwd=_ROOT,
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      stderr=subprocess.DEVNULL,
      text=True,
    )
    self._expect("ready")

  def _expect(self, word):
    assert self._process.stdout.readline() == f"{word}\n"

  def start(self, path):
    self._process.stdin.write(f"{path}\n")
    self._process.stdin.flush()

  def wait(self):
    self._expect("done")

  def stop(self):
    self._process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, self._process.pid, os.WSTOPPED)

  def go_on(self):
    self._process.send_signal(signal.SIGCONT)

  def kill(self):
    self._process.kill()
    self._process.wait()
    self._process.stdout.close()


@pytest.fixture(scope="module")
def exporter():
  process = _Exporter()
  yield process
  process.kill()


@pytest.fixture(scope="module")
def timed(exporter, tmp_path_factory):
  """A finished export, and the seconds that one takes."""
  directory = tmp_path_factory.mktemp("timed")
  seconds = []
  for name in ("first", "second", "third"):
    begin = time.monotonic()
    exporter.start(directory / name)
    exporter.wait()
    seconds.append(time.monotonic() - begin)
  return directory / "third", min(seconds)


def contents(path):
  """All files of a directory, or None where there is none."""
  if not path.exists():
    return None
  return {
    p.relative_to(path): p.read_bytes() for p in path.rglob("*") if p.is_file()
  }


@pytest.mark.parametrize("overwrite", [False, True])
def test_stopped_at_any_moment(overwrite, exporter, timed, tmp_path):
  finished, seconds = timed
  new, old = contents(finished), None
  if overwrite:
    make_spec(1.0).export(tmp_path / "old")
    old = contents(tmp_path / "old")
    assert old != new
  staged = 0
  for i in range(_MOMENTS):
    target = tmp_path / f"{i}" / "module"
    if overwrite:
      shutil.copytree(tmp_path / "old", target)
    exporter.start(target)
    time.sleep(seconds * (i + 0.5) / _MOMENTS)
    exporter.stop()
    found = contents(target)
    staged += target.parent.exists() and os.listdir(target.parent) != ["module"]
    exporter.go_on()
    exporter.wait()
    assert found in (old, new)
    assert contents(target) == new
    assert os.listdir(target.parent) == ["module"]
  # The moments did fall into the export.
  assert staged > _MOMENTS // 3


def test_killed(timed, tmp_path):
  _, seconds = timed
  make_spec(1.0).export(tmp_path / "old")
  before = contents(tmp_path / "old")
  exporter = _Exporter()
  # The first export of a process takes longer: this is the midst of it.
  exporter.start(tmp_path / "old")
  time.sleep(seconds / 2)
  exporter.kill()
  assert contents(tmp_path / "old") == before
  assert np.all(Consumer(str(tmp_path / "old")).values()["net/mean"] == 1.0)
  # What the killed process left beside it is in nobody's way.
  make_spec(3.0).export(tmp_path / "old", overwrite=True)
  assert np.all(Consumer(str(tmp_path / "old")).values()["net/mean"] == 3.0)
