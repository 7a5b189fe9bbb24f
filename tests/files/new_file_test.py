# SPDX-License-Identifier: Apache-2.0
"""A file is there when it is complete, and nothing is left beside it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from hub_image_export.errors import ExportError
from hub_image_export.files.new_file import new_file

_KILLED = """
import os, signal, sys
from hub_image_export.files.new_file import new_file
with new_file(sys.argv[1], ".md") as file:
  file.write(b"half of it")
  file.flush()
  os.kill(os.getpid(), signal.SIGKILL)
"""


def write(path, content=b"content"):
  with new_file(str(path), ".md") as file:
    file.write(content)


def test_it_is_there_at_the_end_only(tmp_path):
  path = tmp_path / "page.md"
  with new_file(str(path), ".md") as file:
    file.write(b"content")
    assert not path.exists()
  assert os.listdir(tmp_path) == ["page.md"]
  assert path.read_bytes() == b"content"


def test_a_failure_leaves_nothing(tmp_path):
  path = str(tmp_path / "page.md")
  with pytest.raises(RuntimeError), new_file(path, ".md"):
    raise RuntimeError
  assert os.listdir(tmp_path) == []


def test_what_a_killed_process_left_is_removed(tmp_path):
  path = tmp_path / "page.md"
  subprocess.run([sys.executable, "-c", _KILLED, str(path)])
  (left,) = os.listdir(tmp_path)
  assert left != "page.md"
  write(tmp_path / "another.md")
  assert sorted(os.listdir(tmp_path)) == sorted([left, "another.md"])
  write(path)
  assert sorted(os.listdir(tmp_path)) == ["another.md", "page.md"]


def test_what_another_one_is_writing_stays(tmp_path):
  path = tmp_path / "page.md"
  refused = pytest.raises(ExportError, match="exists")
  with refused, new_file(str(path), ".md") as file:
    file.write(b"slowly")
    file.flush()
    write(path, b"quickly")
    assert len(os.listdir(tmp_path)) == 2
  assert path.read_bytes() == b"quickly"


@pytest.mark.parametrize("letter", ["x", "ö"])
def test_names_may_be_as_long_as_names_can_be(letter, tmp_path):
  name = letter * (252 // len(letter.encode())) + ".md"
  write(tmp_path / name)
  assert os.listdir(tmp_path) == [name]
