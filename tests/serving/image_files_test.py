# SPDX-License-Identifier: Apache-2.0
"""Files, folders and patterns: each file once, and none is left out."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile

import pytest

from hub_image_export.serving import image_files


@pytest.fixture
def folder(tmp_path, monkeypatch):
  for name in ("a/1.png", "a/_2.JPG", "a/.b/3", "c[1]/4.png", "d/5.png"):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(b"")
  (tmp_path / "a/link").symlink_to(tmp_path / "d")
  (tmp_path / "a/back").symlink_to(tmp_path)
  (tmp_path / "a/broken").symlink_to("nowhere")
  monkeypatch.chdir(tmp_path)
  return tmp_path


@pytest.mark.parametrize(
  ("given", "found"),
  [
    (["d"], ["d/5.png"]),
    (["a"], ["a/1.png", "a/_2.JPG", "a/broken", "a/.b/3", "a/link/5.png"]),
    (["c[1]", "c[1]/4.png"], ["c[1]/4.png"]),
    (["?/*.png"], ["a/1.png", "d/5.png"]),
    (["**/5.png"], ["a/link/5.png", "d/5.png"]),
  ],
)
def test_files(given, found, folder):
  listed = image_files.listed(given)
  listed = [path for path in listed if "back" not in path]
  assert sorted(listed) == sorted(found)
  assert os.path.isdir(folder)


def test_links_that_lead_to_each_other_end(tmp_path):
  for name, other in (("a", "b"), ("b", "a")):
    (tmp_path / name).mkdir()
    (tmp_path / name / f"{name}.png").write_bytes(b"")
    (tmp_path / name / "other").symlink_to(tmp_path / other)
  (tmp_path / "a/self").symlink_to("self")
  listed = image_files.listed([str(tmp_path / "a")])
  found = [os.path.relpath(path, tmp_path) for path in listed]
  assert found == ["a/a.png", "a/self", "a/other/b.png"]


def test_two_spellings_are_one_file(folder):
  assert image_files.listed(["d/5.png", "./d/5.png", "a/../d", "?/*.png"]) == [
    "d/5.png",
    "a/1.png",
  ]


@contextlib.contextmanager
def _as_nobody():
  """Rights do not bind root."""
  if os.geteuid():
    yield
    return
  os.seteuid(65534)
  try:
    yield
  finally:
    os.seteuid(0)


def test_a_folder_that_cannot_be_read_is_not_left_out():
  root = tempfile.mkdtemp()
  try:
    os.mkdir(os.path.join(root, "closed"))
    os.chmod(os.path.join(root, "closed"), 0)
    os.chmod(root, 0o755)
    told = pytest.raises(ValueError, match="closed' cannot be read")
    with told, _as_nobody():
      image_files.listed([root])
  finally:
    shutil.rmtree(root)


@pytest.mark.parametrize("given", ["none", "*.gif", "http://a/b.png", ""])
def test_what_is_not_there(given, folder):
  with pytest.raises(ValueError, match="the image"):
    image_files.listed([given])
