# SPDX-License-Identifier: Apache-2.0
"""What the scripts share: how signals end them."""

from __future__ import annotations

import gc
import os
import pathlib
import shlex
import signal
import subprocess
import sys
import threading

import pytest
from absl import flags

from hub_image_export.command_line import run as command_line
from hub_image_export.version import __version__

_ROOT = str(pathlib.Path(command_line.__file__).parents[2])


def run(main):
  return command_line.run(main, flags.FlagValues(), "Manual.", ["script"])


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_ends_it_as_an_exception(name, capsys):
  """So that a `with` block cleans up, as it does after Ctrl-C."""
  number, cleaned = getattr(signal, name), []

  def main(argv):
    try:
      signal.raise_signal(number)
    finally:
      # A second one does not wait for the cleaning up.
      cleaned.append(signal.getsignal(number))

  before = signal.signal(number, signal.SIG_DFL)  # nohup ignores SIGHUP.
  try:
    assert run(main) == command_line.EXIT_UNUSABLE
  finally:
    signal.signal(number, before)
  assert cleaned == [signal.SIG_DFL]
  assert capsys.readouterr().err == f"script: ended by {name}\n"


def test_handlers_are_as_before_in_the_end():
  before = signal.getsignal(signal.SIGTERM)
  assert run(lambda argv: 0) == 0
  assert signal.getsignal(signal.SIGTERM) == before


def test_an_ignored_signal_stays_ignored(monkeypatch):
  """As nohup wants it."""
  before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
  try:
    assert run(lambda argv: signal.raise_signal(signal.SIGHUP)) == 0
  finally:
    signal.signal(signal.SIGHUP, before)


def test_other_threads_leave_signals_alone():
  codes = []
  thread = threading.Thread(target=lambda: codes.append(run(lambda argv: 0)))
  thread.start()
  thread.join()
  assert codes == [0]


def _script(arguments, tmp_path, shell="{}"):
  """Runs `python -m hub_image_export …` in a shell."""
  command = shlex.join([sys.executable, "-m", "hub_image_export", *arguments])
  return subprocess.run(
    ["bash", "-o", "pipefail", "-c", shell.format(command)],
    cwd=tmp_path,
    env={**os.environ, "PYTHONPATH": _ROOT},
    capture_output=True,
    text=True,
    timeout=300,
  )


@pytest.mark.parametrize("script", ["export_module", "check_module"])
def test_the_version(script, tmp_path):
  done = _script([script, "--version"], tmp_path)
  assert done.returncode == 0
  assert done.stdout.startswith(f"{script} of hub_image_export {__version__}, ")
  assert "tensorflow-hub 0.15" in done.stdout


@pytest.mark.parametrize("script", ["export_module", "check_module"])
def test_a_reader_that_has_enough(script, tmp_path):
  for shell in ("{} --help | head -n 1", "{} --help | true"):
    done = _script([script], tmp_path, shell)
    assert done.returncode == 0
    assert not done.stderr


def test_a_report_that_nobody_reads(tmp_path):
  """The exit code is that of the check."""
  done = _script(["check_module", "nowhere"], tmp_path, "{} | true")
  assert (done.returncode, done.stderr) == (2, "")


def test_without_a_name_it_is_export_module(tmp_path):
  done = _script(["--help"], tmp_path)
  assert done.stdout.startswith("Exports an image model")
  done = _script(["--modle=x"], tmp_path)
  assert done.stderr == (
    "export_module: --modle is no flag: did you mean --model?\n"
  )


@pytest.mark.parametrize("given", [[], ["--debug"]])
def test_the_way_of_an_error(given, capsys):
  own = flags.FlagValues()
  command_line.define_debug(own)

  def main(argv):
    try:
      {}["a"]
    except KeyError as error:
      raise ValueError("in short") from error

  argv = ["script", *given]
  assert command_line.run(main, own, "Manual.", argv) == 1
  lines = capsys.readouterr().err.splitlines()
  assert lines[-1] == "script: in short"
  assert any("KeyError: 'a'" in line for line in lines) == bool(given)


def test_what_is_there_at_the_start_is_settled_once(monkeypatch):
  """What a program leaves behind between two calls of `main` is its garbage."""
  counts = iter([0, 7])
  calls = []
  monkeypatch.setattr(gc, "get_freeze_count", lambda: next(counts))
  monkeypatch.setattr(gc, "freeze", lambda: calls.append("freeze"))
  command_line.import_tensorflow()
  command_line.import_tensorflow()
  assert calls == ["freeze"]


def test_the_end_collects_no_garbage():
  """Among TensorFlow's objects that takes a second; the exit code is kept."""
  program = """if True:
    import weakref
    from hub_image_export.command_line import run

    class Circle:
      pass

    circle = Circle()
    circle.self = circle
    reference = weakref.ref(circle, lambda reference: print("collected"))
    del circle
    run.end(3)
  """
  ended = subprocess.run(
    [sys.executable, "-c", program],
    env={**os.environ, "PYTHONPATH": _ROOT},
    capture_output=True,
    text=True,
  )
  assert (ended.returncode, ended.stdout, ended.stderr) == (3, "", "")
