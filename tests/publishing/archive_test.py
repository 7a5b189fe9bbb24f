# SPDX-License-Identifier: Apache-2.0
"""Archives: the same bytes, nothing of the machine, complete or not there."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import tarfile

import pytest

import hub_image_export as hie
from hub_image_export.files import listing
from tests.publishing import hub_rules


def _members(path):
  with tarfile.open(path) as archive:
    return archive.getmembers()


def test_the_module_stands_at_the_root_sorted(module, archive):
  members = _members(archive)
  names = [member.name for member in members]
  assert names == sorted(names)
  files = [member.name for member in members if member.isfile()]
  assert files == listing.files_of(str(module))
  assert "saved_model.pb" in files


def test_folders_come_before_what_is_in_them(archive):
  """hub's client makes no directory that the archive does not have."""
  met = {""}
  for member in _members(archive):
    assert member.name.rpartition("/")[0] in met
    if member.isdir():
      met.add(member.name)


def test_nothing_of_the_machine_or_the_hour_is_in_it(archive):
  for member in _members(archive):
    assert (member.uid, member.gid, member.mtime) == (0, 0, 0)
    assert member.uname == member.gname == ""
    assert member.mode == (0o755 if member.isdir() else 0o644)
  with open(archive, "rb") as file:
    header = file.read(10)
  assert header[3] == 0, "A gzip header with a name or a comment."
  assert header[4:8] == bytes(4), "A gzip header with a time."
  assert os.fsencode(archive.parent.name) not in gzip.decompress(
    archive.read_bytes()
  )


def test_it_passes_the_rules_of_the_hub(archive):
  assert hub_rules.archive_errors(archive) == []


def test_the_same_module_gives_the_same_bytes(module, archive, tmp_path):
  copy = shutil.copytree(module, tmp_path / "copy", copy_function=shutil.copy)
  for folder, _, names in os.walk(copy):
    for name in names:
      os.utime(os.path.join(folder, name), (1e9, 1e9))
      os.chmod(os.path.join(folder, name), 0o600)
  digest = hie.write_archive(copy, tmp_path / "other.tar.gz")
  data = (tmp_path / "other.tar.gz").read_bytes()
  assert data == archive.read_bytes()
  assert digest == hashlib.sha256(data).hexdigest()


def test_check_module_takes_it(archive):
  report = hie.check_module(archive, static=True)
  assert not report.errors
  assert not report.warnings


def test_dot_files_are_left_out(module, archive, tmp_path):
  copy = shutil.copytree(module, tmp_path / "copy")
  (copy / ".DS_Store").write_text("x")
  (copy / "assets.extra" / "._labels.txt").write_text("x")
  hie.write_archive(copy, tmp_path / "m.tar.gz")
  assert (tmp_path / "m.tar.gz").read_bytes() == archive.read_bytes()


@pytest.mark.parametrize("name", ["README.md", "assets/a(1).txt", "notes/x"])
def test_what_hubs_refuse_is_refused_by_name(name, module, tmp_path):
  copy = shutil.copytree(module, tmp_path / "copy")
  (copy / name).parent.mkdir(exist_ok=True)
  (copy / name).write_text("x")
  with pytest.raises(hie.ExportError, match="hubs refuse") as error:
    hie.write_archive(copy, tmp_path / "m.tar.gz")
  assert name in str(error.value)
  assert sorted(os.listdir(tmp_path)) == ["copy"]


def test_links_are_refused(module, tmp_path):
  copy = shutil.copytree(module, tmp_path / "copy")
  os.symlink("/etc", copy / "assets.extra" / "link")
  with pytest.raises(hie.ExportError, match="assets.extra/link"):
    hie.write_archive(copy, tmp_path / "m.tar.gz")


def test_an_archive_that_exists_is_kept(module, archive, tmp_path):
  path = tmp_path / "m.tar.gz"
  path.write_text("old")
  with pytest.raises(hie.ExportError, match="exists"):
    hie.write_archive(module, path)
  assert path.read_text() == "old"
  hie.write_archive(module, path, overwrite=True)
  assert path.read_bytes() == archive.read_bytes()


def test_a_directory_is_never_replaced(module, tmp_path):
  (tmp_path / "m.tar.gz").mkdir()
  with pytest.raises(hie.ExportError, match="no file"):
    hie.write_archive(module, tmp_path / "m.tar.gz", overwrite=True)


def test_a_failure_leaves_nothing(module, tmp_path, monkeypatch):
  def fail(*unused):
    raise OSError(28, "No space left on device")

  monkeypatch.setattr(tarfile.TarFile, "addfile", fail)
  with pytest.raises(hie.ExportError, match="No space left"):
    hie.write_archive(module, tmp_path / "m.tar.gz")
  assert os.listdir(tmp_path) == []
