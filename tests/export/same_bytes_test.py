# SPDX-License-Identifier: Apache-2.0
"""The same model gives the same bytes, whoever exports it, where and when."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_NAMES = ("keras", "keras_again", "tf1", "control_flow", "saved")
_FILES = (
  "saved_model.pb",
  "tfhub_module.pb",
  "variables/variables.index",
  "variables/variables.data-00000-of-00001",
  "assets.extra/manifest.json",
  "assets.extra/golden.json",
)
# As different as two users may be.
_USERS = (
  (3, {"LANG": "C", "LC_ALL": "C", "PYTHONHASHSEED": "1", "TZ": "UTC"}),
  (
    1001,
    {
      "HOME": "/nowhere",
      "LANG": "de_DE.UTF-8",
      "LC_ALL": "C.UTF-8",
      "PYTHONHASHSEED": "4242",
      "TZ": "Asia/Tokyo",
      "USER": "somebody",
    },
  ),
)


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
  """The directories that two processes exported to."""
  found = []
  for seed, environment in _USERS:
    directory = tmp_path_factory.mktemp(f"user_{seed}")
    process = subprocess.run(
      [
        sys.executable,
        *("-m", "tests.export.same_bytes_program"),
        *(str(directory), str(seed)),
      ],
      cwd=directory,
      env={**os.environ, **environment, "PYTHONPATH": str(_ROOT)},
      capture_output=True,
      text=True,
      timeout=300,
    )
    assert process.returncode == 0, process.stderr[-4000:]
    found.append(directory)
  return found


@pytest.mark.parametrize("name", _NAMES)
def test_two_processes_write_the_same_bytes(name, exports):
  first, second = ((directory / name) for directory in exports)
  files = {
    path.relative_to(first).as_posix()
    for path in first.rglob("*")
    if path.is_file()
  }
  assert files >= set(_FILES)
  for file in sorted(files):
    assert (first / file).read_bytes() == (second / file).read_bytes(), file


@pytest.mark.parametrize("name", _NAMES)
def test_two_processes_write_the_same_archive(name, exports):
  first, second = ((d / f"{name}.tar.gz").read_bytes() for d in exports)
  assert first == second


def test_one_process_writes_the_same_bytes_twice(exports):
  first, second = (
    (exports[0] / f"{name}.tar.gz").read_bytes()
    for name in ("keras", "keras_again")
  )
  assert first == second


@pytest.mark.parametrize("name", _NAMES)
def test_nothing_of_the_user_is_in_it(name, exports):
  for directory in exports:
    for path in (directory / name).rglob("*"):
      if path.is_file():
        data = path.read_bytes()
        assert os.fsencode(directory.name) not in data
        assert b"somebody" not in data
