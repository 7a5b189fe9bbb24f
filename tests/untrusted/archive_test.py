# SPDX-License-Identifier: Apache-2.0
"""Archives from elsewhere: F1, and nothing outside of the given folder."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import random
import tarfile
import time

import pytest

from hub_image_export.checker import check_module
from hub_image_export.untrusted import archive
from hub_image_export.untrusted.archive import ArchiveError
from tests.checker import tiny
from tests.faults.damage import damaged


def _pack(path, *members, mode="w:gz"):
  with tarfile.open(path, mode) as packed:
    for member, content in members:
      packed.addfile(member, io.BytesIO(content))
  return str(path)


def _member(name, content=b"", **fields):
  member = tarfile.TarInfo(name)
  member.size = len(content)
  for key, value in fields.items():
    setattr(member, key, value)
  return member, content


@pytest.mark.parametrize(
  "member",
  [
    _member("../evil", b"x"),
    _member("a/../../evil", b"x"),
    _member("/evil", b"x"),
    _member("\\evil", b"x"),
    _member("C:/evil", b"x"),
    _member("n" * 600, b"x"),
    _member("link", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
    _member("hard", type=tarfile.LNKTYPE, linkname="saved_model.pb"),
    _member("pipe", type=tarfile.FIFOTYPE),
    _member("device", type=tarfile.CHRTYPE),
  ],
  ids=lambda member: member[0].name[:20],
)
def test_dangerous_member_is_refused(member, tmp_path):
  folder = tmp_path / "inner" / "folder"
  folder.mkdir(parents=True)
  path = _pack(tmp_path / "module.tar.gz", _member("good", b"1"), member)
  with pytest.raises(ArchiveError) as caught:
    archive.unpack(path, str(folder))
  assert caught.value.rule == "unsafe-archive"
  assert os.listdir(folder) == ["good"]
  assert sorted(os.listdir(tmp_path)) == ["inner", "module.tar.gz"]


def test_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
  monkeypatch.setattr(archive, "MAX_BYTES", 2**20)
  content = bytes(2**21)
  path = _pack(tmp_path / "bomb.tar.gz", _member("zeros", content))
  folder = tmp_path / "folder"
  folder.mkdir()
  with pytest.raises(ArchiveError, match="Got a member of 2097152 bytes"):
    archive.unpack(path, str(folder))
  assert not os.listdir(folder)


def test_bomb_of_many_members_is_refused(tmp_path, monkeypatch):
  monkeypatch.setattr(archive, "MAX_MEMBERS", 10)
  members = [_member(f"f{i}") for i in range(12)]
  path = _pack(tmp_path / "bomb.tar.gz", *members)
  with pytest.raises(ArchiveError, match="too many members"):
    archive.unpack(path, str(tmp_path))


def test_gigantic_header_is_not_read(tmp_path):
  """An extended header is read into memory at once by tarfile."""
  header = tarfile.TarInfo("x")
  header.type, header.size = tarfile.XHDTYPE, 2**30
  path = tmp_path / "header.tar.gz"
  path.write_bytes(gzip.compress(header.tobuf() + bytes(2**23)))
  with pytest.raises(ArchiveError, match="Got larger headers"):
    archive.unpack(str(path), str(tmp_path))


def test_more_than_weights_ever_compress_is_refused(tmp_path, monkeypatch):
  monkeypatch.setattr(archive, "MAX_BYTES_OF_ANY", 2**20)
  path = _pack(tmp_path / "bomb.tar.gz", _member("zeros", bytes(2**22)))
  with pytest.raises(ArchiveError, match="Got a member of 4194304 bytes"):
    archive.unpack(path, str(tmp_path))
  content = os.urandom(2**22)
  path = _pack(tmp_path / "weights.tar.gz", _member("weights", content))
  archive.unpack(path, str(tmp_path))
  assert (tmp_path / "weights").read_bytes() == content


def test_directories_in_names_count(tmp_path):
  members = [_member(f"{i}/" + "d/" * 200 + "f") for i in range(50)]
  path = _pack(tmp_path / "deep.tar.gz", *members)
  with pytest.raises(ArchiveError, match="too many members"):
    archive.unpack(path, str(tmp_path))


def test_headers_that_add_up_are_not_kept(tmp_path):
  """Extended headers in a chain belong to one member."""
  header = tarfile.TarInfo("x")
  header.type, header.size = tarfile.XHDTYPE, 2**16
  content = (header.tobuf() + bytes(2**16)) * 3
  path = tmp_path / "headers.tar"
  path.write_bytes(content + _member("f")[0].tobuf())
  with pytest.raises(ArchiveError) as caught:
    archive.unpack(str(path), str(tmp_path))
  assert caught.value.rule == "unsafe-archive"


def test_sparse_file_that_ends_too_early_is_damaged(tmp_path):
  header = bytearray(tarfile.TarInfo("x").tobuf(tarfile.GNU_FORMAT))
  header[156:157], header[482] = b"S", 1
  header[148:156] = b" " * 8
  header[148:156] = b"%06o\0 " % sum(header)
  path = tmp_path / "sparse.tar"
  path.write_bytes(header)
  with pytest.raises(ArchiveError) as caught:
    archive.unpack(str(path), str(tmp_path))
  assert caught.value.rule == "corrupt-file"


def test_xz_may_not_take_any_memory(tmp_path):
  filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 2**28}]
  path = tmp_path / "module.tar.xz"
  path.write_bytes(lzma.compress(_member("f")[0].tobuf(), filters=filters))
  with pytest.raises(ArchiveError, match="[Mm]emory"):
    archive.unpack(str(path), str(tmp_path))


def test_xz_in_several_streams(tmp_path):
  content = os.urandom(10**6)
  member = _member("f", content)[0].tobuf() + content + bytes(1024)
  path = tmp_path / "module.tar.xz"
  streams = [lzma.compress(member[:5]), lzma.compress(member[5:])]
  path.write_bytes(bytes(4).join(streams))
  archive.unpack(str(path), str(tmp_path))
  assert (tmp_path / "f").read_bytes() == content


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_good_archive_is_unpacked(mode, tmp_path):
  path = _pack(tmp_path / "any_name.tar", _member("./a/b", b"12"), mode=mode)
  assert archive.is_archive(path)
  archive.unpack(path, str(tmp_path))
  assert (tmp_path / "a" / "b").read_bytes() == b"12"


def test_damaged_archives_never_raise_anything_else(tmp_path):
  """Fixed seeds; each damaged archive unpacks or is refused, quickly."""
  contents = [_member(f"f{i}", os.urandom(300)) for i in range(5)]
  path = tmp_path / "module.tar.gz"
  plain = tmp_path / "module.tar"
  start = time.time()
  for original in (_pack(path, *contents), _pack(plain, *contents, mode="w")):
    with open(original, "rb") as file:
      whole = file.read()
    for seed in range(150):
      broken = damaged(whole, random.Random(seed))
      target = tmp_path / "broken.tar"
      target.write_bytes(broken)
      folder = tmp_path / f"{seed}-{os.path.basename(original)}"
      folder.mkdir()
      try:
        archive.unpack(str(target), str(folder))
      except ArchiveError as error:
        assert error.rule in ("corrupt-file", "unsafe-archive", "not-a-module")
  print("300 damaged archives")
  assert time.time() - start < 60


def test_archive_of_a_module_is_checked(tmp_path):
  module = tiny.build(str(tmp_path / "module"))
  path = str(tmp_path / "module.tar.gz")
  with tarfile.open(path, "w:gz") as packed:
    packed.add(module, arcname=".")
  report = check_module(path, static=True)
  assert not report.errors, str(report)
  assert report.path == path
  assert report.summary["tasks"]


def test_archive_with_a_folder_on_top_is_no_module(tmp_path):
  module = tiny.build(str(tmp_path / "module"))
  path = str(tmp_path / "module.tar.gz")
  with tarfile.open(path, "w:gz") as packed:
    packed.add(module, arcname="module")
  report = check_module(path)
  assert [f.rule for f in report.errors] == ["not-a-module"]
  assert "module/" in report.errors[0].message
