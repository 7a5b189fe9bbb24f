# SPDX-License-Identifier: Apache-2.0
"""F6: a directory takes another one's place in one step where it can."""

from __future__ import annotations

import errno
import os
import sys

import pytest

from hub_image_export.files import directory_swap


@pytest.fixture
def pair(tmp_path):
  """Two directories, each with a file of its own name."""
  for name in ("new", "target"):
    (tmp_path / name).mkdir()
    (tmp_path / name / name).touch()
  return tmp_path


def replace(directory):
  paths = [str(directory / name) for name in ("new", "target", "away")]
  directory_swap.replace_directory(*paths)
  return {path.name: os.listdir(path) for path in directory.iterdir()}


@pytest.mark.skipif(sys.platform != "linux", reason="No renameat2.")
def test_one_exchange(pair, monkeypatch):
  monkeypatch.delattr(os, "rename")
  assert replace(pair) == {"target": ["new"], "new": ["target"]}


def test_two_renames_without_an_exchange(pair, monkeypatch):
  monkeypatch.setattr(directory_swap, "_exchange", lambda a, b: False)
  assert replace(pair) == {"target": ["new"], "away": ["target"]}


def test_a_target_that_is_gone_is_no_reason_for_two_renames(pair):
  (pair / "target" / "target").unlink()
  (pair / "target").rmdir()
  with pytest.raises(FileNotFoundError):
    replace(pair)
  assert os.listdir(pair) == ["new"]


@pytest.mark.parametrize("code", [errno.EINVAL, errno.EIO])
def test_directories_that_cannot_be_synced(code, pair, monkeypatch):
  """Some file systems have no such call; a broken disk is another matter."""

  def fail(file):
    raise OSError(code, os.strerror(code))

  monkeypatch.setattr(os, "fsync", fail)
  if code == errno.EINVAL:
    directory_swap.sync_directory(str(pair))
    return
  with pytest.raises(OSError):
    directory_swap.sync_directory(str(pair))


def test_files_that_cannot_be_synced_are_an_error(pair, monkeypatch):
  """Network file systems tell here that the quota is used up."""

  def fail(file):
    raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

  monkeypatch.setattr(os, "fsync", fail)
  with pytest.raises(OSError, match="quota"):
    directory_swap.sync_tree(str(pair))
