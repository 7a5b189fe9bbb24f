# SPDX-License-Identifier: Apache-2.0
"""F6: what killed exports leave is cleaned away, and nothing else is."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import time

import pytest

from hub_image_export.files import file_lock, staging_directory
from hub_image_export.files.staging import Staging
from tests.support.staged import export, fill, leave, text_of

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_LOCK = "hub_image_export.lock"


@pytest.fixture
def target(tmp_path):
  return tmp_path / "module"


def test_what_a_killed_export_left_is_cleaned(target):
  leave(target, module="half")
  leave(target)
  export(target)
  assert text_of(target) == "new"
  assert os.listdir(target.parent) == ["module"]


def test_what_a_process_left_that_was_killed(target):
  program = (
    "import sys, time\n"
    "from hub_image_export.files.staging import Staging\n"
    "with Staging(sys.argv[1]) as stage:\n"
    "  print(stage.path, flush=True)\n"
    "  time.sleep(1000)\n"
  )
  with subprocess.Popen(
    [sys.executable, "-c", program, str(target)],
    cwd=_ROOT,
    stdout=subprocess.PIPE,
    text=True,
  ) as process:
    path = process.stdout.readline().strip()
    export(target)
    assert os.path.isdir(path), "Its process is alive."
    process.kill()
  export(target)
  assert os.listdir(target.parent) == ["module"]


def test_a_living_export_of_this_process_is_left_alone(target):
  with Staging(target, overwrite=True) as stage:
    fill(stage.path, "first")
    export(target, "second")
    stage.commit()
  assert text_of(target) == "first"
  assert os.listdir(target.parent) == ["module"]


@pytest.mark.parametrize(
  "name",
  [
    "module2",
    "odule",
    "module.staging-00000000-00000000",
    "a" * 255,
    "ü" * 120,
  ],
)
def test_other_targets_are_left_alone(name, tmp_path):
  target = tmp_path / ("a" * 250 + "bcdef" if name[0] == "a" else "module")
  other = leave(tmp_path / name, module="half")
  export(target)
  assert other.is_dir()
  assert len(os.fsencode(other.name)) <= 255
  export(tmp_path / name)
  assert not other.exists()


def test_names_of_the_longest_sort_are_told_apart(tmp_path):
  leave(tmp_path / ("ü" * 127), module="half")
  leave(tmp_path / ("ü" * 126 + "x"), module="half")
  export(tmp_path / ("ü" * 127))
  assert len(os.listdir(tmp_path)) == 2


def test_directories_without_the_lock_are_left_alone(target):
  """Somebody else's, or an old version's."""
  stale = leave(target, module="half")
  (stale / _LOCK).unlink()
  export(target)
  assert text_of(stale / "module") == "half"


def test_killed_before_it_was_locked(target):
  empty = leave(target)
  (empty / _LOCK).unlink()
  (empty / "module").rmdir()
  export(target)
  assert os.listdir(target.parent) == ["module"]


def test_links_are_not_followed(target, tmp_path):
  elsewhere = tmp_path / "elsewhere"
  elsewhere.mkdir()
  stale = leave(target, module="half")
  stale.rename(elsewhere / "stale")
  stale.symlink_to(elsewhere / "stale")
  export(target)
  assert text_of(elsewhere / "stale" / "module") == "half"


def test_another_users_are_left_alone(target, monkeypatch):
  stale = leave(target, module="half")
  monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
  export(target)
  assert stale.is_dir()


def test_another_machines_are_left_alone_for_a_day(target, monkeypatch):
  """Some shared file systems keep locks to the machine that took them."""
  with monkeypatch.context() as patch:
    patch.setattr(staging_directory, "_machine", lambda: "0" * 8)
    stale = leave(target, module="half")
  export(target)
  assert stale.is_dir()
  yesterday = time.time() - 25 * 60 * 60
  for path in (stale / "module", stale / _LOCK, stale):
    os.utime(path, (yesterday, yesterday))
  export(target)
  assert stale.is_dir(), "One of its files is young."
  for path in (stale / "module").iterdir():
    os.utime(path, (yesterday, yesterday))
  export(target)
  assert not stale.exists()


def test_without_locks_nothing_is_stale(target, monkeypatch):
  stale = leave(target, module="half")
  monkeypatch.setattr(file_lock, "fcntl", None)
  export(target)
  assert sorted(os.listdir(target.parent)) == [stale.name, "module"]


def test_a_cleaner_that_is_faster_than_the_lock(target, monkeypatch):
  """The export goes on under another name."""
  take, cleaned = file_lock.take, []

  def clean_first(lock):
    if not cleaned:
      cleaned.append(True)
      staging_directory.clean_stale(str(target))
    return take(lock)

  monkeypatch.setattr(file_lock, "take", clean_first)
  export(target)
  assert text_of(target) == "new"
  assert os.listdir(target.parent) == ["module"]
