# SPDX-License-Identifier: Apache-2.0
"""Files, folders and patterns: each file once, and none is left out."""

from __future__ import annotations

import os

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


@pytest.mark.parametrize("given", ["none", "*.gif", "http://a/b.png", ""])
def test_what_is_not_there(given, folder):
  with pytest.raises(ValueError, match="the image"):
    image_files.listed([given])
