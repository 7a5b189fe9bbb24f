# SPDX-License-Identifier: Apache-2.0
"""The script `check_module`: its help, output and exit codes."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import time

import pytest

from hub_image_export.checker import Finding, Report
from hub_image_export.command_line import (
  check_module as check_module_main,
  run as command_line,
)

_SCRIPT = [sys.executable, "-m", "hub_image_export.command_line.check_module"]
_ROOT = str(pathlib.Path(check_module_main.__file__).parents[2])


def _run(*arguments):
  argv = ["check_module", *arguments]
  return command_line.run(
    check_module_main.main,
    check_module_main._FLAGS,
    check_module_main.__doc__,
    argv,
  )


def _subprocess(*arguments, **variables):
  env = {**os.environ, "PYTHONPATH": _ROOT, **variables}
  return subprocess.run(
    [*_SCRIPT, *arguments], capture_output=True, text=True, env=env
  )


def _report(*severities):
  findings = [Finding("image-size-unknown", s, "", "m") for s in severities]
  return Report("some/path", tuple(findings))


@pytest.fixture
def reports(monkeypatch):
  """Lets the check answer what is in this dict."""
  found = {}
  monkeypatch.setattr(
    check_module_main,
    "check_modules",
    lambda paths, **_: (found[path] for path in paths),
  )
  return found


def test_help_is_quick_and_lists_our_flags_only():
  _subprocess("--help")  # Bytecode is compiled.
  start = time.perf_counter()
  done = _subprocess("--help")
  seconds = time.perf_counter() - start
  assert done.returncode == 0
  flags = {
    line.split()[0] for line in done.stdout.split("\n") if "  --" in line
  }
  assert {"--format", "--[no]strict", "--[no]static", "--timeout"} <= flags
  assert "--flagfile" not in done.stdout
  assert "--logtostderr" not in done.stdout
  # 0.3 s on an idle machine; the tests may run beside others.
  assert seconds < 3


def test_importing_the_script_does_not_import_tensorflow():
  code = (
    "import sys, hub_image_export.command_line.check_module; "
    "sys.exit('tensorflow' in sys.modules)"
  )
  env = {**os.environ, "PYTHONPATH": _ROOT}
  assert subprocess.run([sys.executable, "-c", code], env=env).returncode == 0


@pytest.mark.parametrize(
  ("severities", "flags", "code"),
  [
    ((), (), 0),
    (("info",), ("--strict",), 0),
    (("warning",), (), 0),
    (("warning",), ("--strict",), 2),
    (("error", "info"), (), 2),
  ],
)
def test_exit_code_follows_severity(reports, severities, flags, code):
  reports["module"] = _report(*severities)
  assert _run(*flags, "module") == code


def test_exit_code_is_the_worst_of_all_paths(reports):
  reports.update(good=_report(), bad=_report("error"))
  assert _run("bad", "good") == 2
  assert _run("good", "good") == 0


def test_json_is_a_list_of_reports(reports, capsys):
  reports.update(good=_report(), bad=_report("error"))
  _run("--format=json", "good", "bad")
  first, second = json.loads(capsys.readouterr().out)
  assert first["path"] == "some/path"
  assert first["findings"] == []
  assert second["findings"] == [
    {
      "rule": "image-size-unknown",
      "severity": "error",
      "where": "",
      "message": "m",
    }
  ]


@pytest.mark.parametrize(
  ("arguments", "told"),
  [
    (["--strickt", "x"], "did you mean --strict?"),
    (["--zzz", "x"], "--zzz is no flag: expected one of --debug"),
    (["--format=xml", "x"], "text, json"),
    (["--timeout=soon", "x"], "timeout"),
    (["--timeout=-1", "x"], "timeout"),
    (["--jobs=0", "x"], "jobs"),
    ([], "Got no path"),
  ],
)
def test_unusable_flags_are_told_and_exit_1(arguments, told, capsys):
  assert _run(*arguments) == 1
  output = capsys.readouterr()
  assert told in output.err
  assert "Traceback" not in output.err
  assert not output.out


def test_flags_of_one_call_are_forgotten_in_the_next(reports):
  reports["module"] = _report("warning")
  assert _run("--strict", "module") == 2
  assert _run("module") == 0


def test_missing_path_is_no_module(capsys):
  assert _run("--format=json", "/nowhere/at/all") == 2
  (report,) = json.loads(capsys.readouterr().out)
  assert [f["rule"] for f in report["findings"]] == ["not-a-module"]


def test_without_tensorflow_the_check_cannot_run(tmp_path):
  """Exit code 1, and a sentence about what is missing."""
  (tmp_path / "tensorflow.py").write_text("raise ImportError('none here')")
  module = tmp_path / "module"
  module.mkdir()
  for name in ("saved_model.pb", "tfhub_module.pb"):
    (module / name).write_bytes(b"")
  path = os.pathsep.join([str(tmp_path), _ROOT])
  done = _subprocess("--format=json", str(module), PYTHONPATH=path)
  assert done.returncode == 1
  assert not done.stdout
  assert "TensorFlow cannot be imported" in done.stderr
  assert "Traceback" not in done.stderr
