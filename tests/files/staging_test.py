# SPDX-License-Identifier: Apache-2.0
"""F6: a module directory either is complete or is not there."""

from __future__ import annotations

import errno
import os
import resource
import sys

import pytest

import hub_image_export as hie
from hub_image_export.export import exporting, module_files
from hub_image_export.files import directory_swap, staging
from hub_image_export.files.staging import Staging
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.runtime import quiet
from tests.support.consumer import Consumer
from tests.support.staged import make_spec


def mean_of(path):
  return Consumer(str(path)).values()["net/mean"][0]


def contents(path):
  return {
    p.relative_to(path): p.read_bytes() for p in path.rglob("*") if p.is_file()
  }


@pytest.fixture
def target(tmp_path):
  return tmp_path / "deep" / "module"


def test_missing_parents_are_made(target):
  make_spec().export(target)
  assert mean_of(target) == 1.0
  assert os.listdir(target.parent) == ["module"]


def test_an_empty_directory_is_filled(target):
  target.mkdir(parents=True)
  make_spec().export(target)
  assert mean_of(target) == 1.0


def test_an_existing_module_is_refused_and_unchanged(target):
  make_spec().export(target)
  before = contents(target)
  with pytest.raises(hie.ExportError, match=r"exists.*overwrite=True"):
    make_spec(2.0).export(target)
  assert contents(target) == before
  assert os.listdir(target.parent) == ["module"]


def test_overwrite_replaces_it(target):
  make_spec().export(target)
  make_spec(2.0).export(target, overwrite=True)
  assert mean_of(target) == 2.0
  assert os.listdir(target.parent) == ["module"]


def test_overwrite_replaces_modules_alone(target):
  target.mkdir(parents=True)
  (target / "thesis.txt").write_text("years of work")
  with pytest.raises(hie.ExportError, match="no module"):
    make_spec().export(target, overwrite=True)
  assert (target / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize("overwrite", [False, True])
def test_files_and_links_are_refused(overwrite, tmp_path):
  file = tmp_path / "file"
  file.write_text("text")
  directory = tmp_path / "directory"
  directory.mkdir()
  link, broken = tmp_path / "link", tmp_path / "broken"
  link.symlink_to(directory)
  broken.symlink_to(tmp_path / "nothing")
  before = sorted(os.listdir(tmp_path))
  for path in (file, link, broken):
    with pytest.raises(hie.ExportError, match="no directory"):
      make_spec().export(path, overwrite=overwrite)
  assert sorted(os.listdir(tmp_path)) == before
  assert file.read_text() == "text"
  assert not os.listdir(directory)


@pytest.mark.parametrize(
  ("path", "error", "words"),
  [
    ("gs://bucket/module", ValueError, "copy"),
    ("", ValueError, "empty"),
    ("null\0character", ValueError, "null"),
    ("parent[1]/module", ValueError, "weights"),
    ("every*", ValueError, "weights"),
    ("what?", ValueError, "weights"),
    ("back\\slash", ValueError, "weights"),
    ("no\udcffutf8", ValueError, "UTF-8"),
    (3, TypeError, "int"),
    (b"bytes", TypeError, "bytes"),
  ],
)
def test_targets_that_are_no_local_path(path, error, words):
  with pytest.raises(error, match=words):
    make_spec().export(path)


def test_a_parent_that_is_a_file(tmp_path):
  (tmp_path / "file").write_text("text")
  with pytest.raises(hie.ExportError, match="cannot write"):
    make_spec().export(tmp_path / "file" / "module")
  assert os.listdir(tmp_path) == ["file"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere.")
def test_a_parent_that_is_not_writable(tmp_path):
  tmp_path.chmod(0o500)
  with pytest.raises(hie.ExportError, match="cannot write"):
    make_spec().export(tmp_path / "module")


@pytest.mark.parametrize("exists", [False, True])
@pytest.mark.parametrize("step", ["variables", "graph", "verify", "commit"])
def test_a_failure_leaves_nothing_behind(step, exists, target, monkeypatch):
  """The disk is full, say, at any step of the export."""
  if exists:
    make_spec().export(target)
    before = contents(target)

  def fail(*args, **kwargs):
    raise OSError(28, "No space left on device")

  patches = {
    "variables": (exporting.checkpoint_writer, "write_checkpoint"),
    "graph": (module_files, "_make_reproducible"),
    "verify": (exporting.verification, "verify"),
    "commit": (staging.Staging, "commit"),
  }
  spec = make_spec(2.0)
  monkeypatch.setattr(*patches[step], fail)
  with pytest.raises(hie.ExportError, match="No space left"):
    spec.export(target, overwrite=True)
  monkeypatch.undo()
  if exists:
    assert contents(target) == before
    assert os.listdir(target.parent) == ["module"]
  else:
    assert not target.parent.exists()


@pytest.mark.parametrize(
  "error",
  [
    MemoryError(),
    RuntimeError("can't start new thread"),
    tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor"),
    OSError(errno.ENOMEM, "Cannot allocate memory"),
  ],
)
def test_too_little_memory_is_told(error, target, monkeypatch):
  def fail(*args, **kwargs):
    raise error

  spec = make_spec()
  monkeypatch.setattr(exporting.verification, "verify", fail)
  with pytest.raises(hie.ExportError, match="not enough memory"):
    spec.export(target)
  assert not target.parent.exists()


@pytest.mark.parametrize("limit", [100, 5000])
def test_files_that_cannot_grow_leave_nothing(limit, target):
  """TensorFlow's own writers fail: for the checkpoint, or for the graph."""
  spec = make_spec()
  before = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
  try:
    with pytest.raises(hie.ExportError, match="could not be written"):
      spec.export(target)
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
  assert not target.parent.exists()


def test_hub_modules_own_export_does_no_harm(target):
  make_spec().export(target)
  before = contents(target)
  consumer = Consumer(make_spec(2.0))
  refused = pytest.raises(hie.ExportError, match="exists")
  with consumer.graph.as_default(), quiet(), refused:
    consumer.module.export(str(target), consumer.session)
  assert contents(target) == before


def test_replacing_without_an_exchange(target, monkeypatch):
  """File systems without that call get two renames."""
  monkeypatch.setattr(directory_swap, "_exchange", lambda a, b: False)
  make_spec().export(target)
  make_spec(2.0).export(target, overwrite=True)
  assert mean_of(target) == 2.0
  assert os.listdir(target.parent) == ["module"]


def test_a_target_that_appears_meanwhile_is_kept(target):
  with pytest.raises(hie.ExportError, match="exists"), Staging(target) as stage:
    target.mkdir()
    (target / "saved_model.pb").touch()
    stage.commit()
  assert os.listdir(target) == ["saved_model.pb"]
  assert os.listdir(target.parent) == ["module"]


@pytest.mark.skipif(sys.platform != "linux", reason="Uses /proc.")
def test_the_disk_has_the_files_before_the_name(target, monkeypatch):
  """A power cut leaves no module with empty files."""
  synced = []
  fsync = os.fsync

  def note(file):
    synced.append(os.readlink(f"/proc/self/fd/{file}"))
    return fsync(file)

  rename = os.rename

  def check(old, new):
    files = [os.path.join(d, f) for d, _, fs in os.walk(old) for f in fs]
    folders = [d for d, _, _ in os.walk(old)]
    assert files
    assert {*files, *folders} <= set(synced)
    synced.clear()
    return rename(old, new)

  monkeypatch.setattr(os, "fsync", note)
  spec = make_spec()
  monkeypatch.setattr(os, "rename", check)
  spec.export(target)
  assert synced == [str(target.parent)]


def test_what_cannot_be_flushed_is_told(target, monkeypatch):
  """F6: also where the disk fails while the manifest is made."""

  def fail(directory):
    raise OSError(errno.EIO, os.strerror(errno.EIO), directory)

  spec = make_spec()
  monkeypatch.setattr(staging, "sync_tree", fail)
  with pytest.raises(hie.ExportError, match="could not be written"):
    spec.export(target)
  assert not target.parent.exists()
