# SPDX-License-Identifier: Apache-2.0
"""Each row of a flag: one line on stderr, exit code 1, nothing is written."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys

import pytest

import hub_image_export as hie
from hub_image_export.command_line import run as command_line
from tests.bad_input import FLAG_ROWS, flag_rows
from tests.bad_input.check_error import check_message
from tests.bad_input.flag_rows import SCRIPTS

_ROOT = pathlib.Path(hie.__file__).parents[1]


def _flags(row, place, target):
  """The command line of a row; None leaves a flag out."""
  given, paths = {}, []
  if row.call == flag_rows.EXPORT:
    given = {
      "model": f"{place.directory}/nets.py:network",
      "height": "8",
      "width": "6",
      "export_path": "{target}/module",
    }
  elif row.call == flag_rows.RUN:
    paths = [str(place.directory / name) for name in ("module", "file")]
  else:
    paths = [str(place.directory / "none")]
  given.update(place.all_made({**row.others, row.argument: row.value}))
  return [
    f"--{flag}={str(value).replace('{target}', str(target))}"
    for flag, value in given.items()
    if value is not None
  ] + paths


def _got(row, place):
  """How a message may show the value, or an item or number in it."""
  if row.got or row.value is None:
    return [row.got]
  value = str(place.made(row.value))
  items = re.split("[,/]", value) if not os.path.isabs(value) else []
  return [value[:30], repr(value)[:30], *filter(None, items)]


@pytest.mark.parametrize("row", FLAG_ROWS, ids=str)
def test_flag(row, place, tmp_path, capsys):
  script, flag_values = SCRIPTS[row.call]
  before = place.files()
  code = command_line.run(
    script.main, flag_values, "", [row.call, *_flags(row, place, tmp_path)]
  )
  output = capsys.readouterr()
  assert code == command_line.EXIT_UNUSABLE
  assert not output.out
  line = output.err.strip().splitlines()[-1]
  assert line.startswith(f"{row.call}: ")
  check_message(line, row.words, row.argument, _got(row, place))
  assert place.files() == before
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
  ("flags", "words"),
  [
    (["--model=x", "--export_path={target}/m", "--hight=3"], ["--height"]),
    (["--model=x", "--export_path={target}/m", "more"], ["['more']"]),
    (["--model=x", "--export_path={target}/m", "--height"], ["height"]),
    (["--model=x", "--export_path={target}/m", "--nocheck=no"], ["check"]),
  ],
)
def test_what_is_no_flag(flags, words, tmp_path, capsys):
  script, flag_values = SCRIPTS[flag_rows.EXPORT]
  flags = [flag.replace("{target}", str(tmp_path)) for flag in flags]
  argv = ["export_module", *flags]
  assert command_line.run(script.main, flag_values, "", argv) == 1
  lines = capsys.readouterr().err.splitlines()
  assert len(lines) == 1
  check_message(lines[0], words)


@pytest.mark.parametrize(
  ("module", "flags", "words"),
  [
    ("export_module", ["--model=MobilNetV2", "--export_path=m"], "MobileNetV2"),
    ("command_line.check_module", ["--timeout=soon", "m"], "number"),
  ],
)
def test_the_scripts_themselves(module, flags, words, tmp_path):
  """As a shell runs them: the exit code, and nothing else but one line."""
  done = subprocess.run(
    [sys.executable, "-m", f"hub_image_export.{module}", *flags],
    cwd=tmp_path,
    env={**os.environ, "PYTHONPATH": str(_ROOT)},
    capture_output=True,
    text=True,
  )
  assert done.returncode == command_line.EXIT_UNUSABLE
  assert not done.stdout
  assert "Traceback" not in done.stderr
  line = done.stderr.strip().splitlines()[-1]
  check_message(line, [f"{module.split('.')[-1]}.py: ", words])
  assert not list(tmp_path.iterdir())
