# SPDX-License-Identifier: Apache-2.0
"""Folders to upload: complete or not there, and what they have is right."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tarfile

import pytest

import hub_image_export as hie
from hub_image_export.publishing import publish_dir
from hub_image_export.publishing.details import PageDetails
from tests.publishing import modules

_FILES = [
  "README.md",
  "check_report.json",
  "labels.txt",
  "manifest.json",
  "network.svg",
  "pets-1.tar.gz",
]
_DETAILS = {
  "handle": "my-lab/pets/1",
  "asset_path": "https://example.com/pets/pets-1.tar.gz",
  "scores": "softmax",
}


@pytest.fixture(scope="module")
def report(module):
  return hie.check_module(module)


@pytest.fixture
def write(module, report, tmp_path):
  """A function that writes the module's folder; returns the commands."""

  def write(**changes):
    options = {**_DETAILS, "report": report, **changes}
    return hie.write_publish_dir(module, tmp_path / "out", **options)

  return write


def test_it_has_all_that_is_published(write, module, archive, report, tmp_path):
  write()
  out = tmp_path / "out"
  assert sorted(os.listdir(out)) == _FILES
  assert os.listdir(tmp_path) == ["out"]
  assert (out / "pets-1.tar.gz").read_bytes() == archive.read_bytes()
  extra = module / "assets.extra"
  for name in ("labels.txt", "manifest.json"):
    assert (out / name).read_bytes() == (extra / name).read_bytes()
  assert "](network.svg)" in (out / "README.md").read_text("utf-8")
  told = json.loads((out / "check_report.json").read_text("utf-8"))
  assert told == {**report.to_json(), "path": "pets-1.tar.gz"}
  assert told["summary"]["ran"]


def test_nothing_of_the_machine_is_in_it(write, module, tmp_path):
  write()
  for path in (tmp_path / "out").iterdir():
    assert os.fsencode(module.parent.name) not in path.read_bytes()


def test_the_same_module_gives_the_same_folder(write, tmp_path):
  write()
  first = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
  write(overwrite=True)
  assert first == {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}


def test_a_folder_is_replaced_only_if_asked_and_if_it_is_one(write, tmp_path):
  write()
  with pytest.raises(hie.ExportError, match="overwrite=True"):
    write()
  write(overwrite=True, description="Another one.")
  assert "Another one." in (tmp_path / "out/README.md").read_text("utf-8")
  (tmp_path / "out/thesis.tex").write_text("mine")
  with pytest.raises(hie.ExportError, match=r"thesis\.tex"):
    write(overwrite=True)
  assert (tmp_path / "out/thesis.tex").read_text() == "mine"


def test_a_failure_leaves_what_was_there(write, tmp_path, monkeypatch):
  def fail(*unused):
    raise OSError(28, "No space left on device")

  write()
  before = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
  monkeypatch.setattr(publish_dir, "_copy_assets", fail)
  with pytest.raises(hie.ExportError, match="No space left"):
    write(overwrite=True)
  assert before == {
    p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()
  }
  assert os.listdir(tmp_path) == ["out"]


def test_a_module_that_breaks_the_contract_is_not_published(tmp_path, module):
  broken = hie.check_module(tmp_path)
  assert broken.errors
  with pytest.raises(hie.CheckError):
    hie.write_publish_dir(module, tmp_path / "out", report=broken, **_DETAILS)
  assert os.listdir(tmp_path) == []


def test_the_other_format_stands_beside_it(write, module, tmp_path):
  other = shutil.copytree(module, tmp_path / "other")
  (other / "tfhub_module.pb").unlink()
  write(saved_model=other)
  with tarfile.open(tmp_path / "out" / "pets-1-tf2.tar.gz") as archive:
    assert "tfhub_module.pb" not in archive.getnames()
    assert "saved_model.pb" in archive.getnames()
  page = (tmp_path / "out/README.md").read_text("utf-8")
  assert 'url = "https://example.com/pets/pets-1-tf2.tar.gz"' in page


def test_the_other_format_is_of_the_same_module(write, module, tmp_path):
  other = shutil.copytree(module, tmp_path / "other")
  path = other / "assets.extra" / "manifest.json"
  manifest = json.loads(path.read_text("utf-8"))
  path.write_text(json.dumps({**manifest, "image_size": [13, 10]}), "utf-8")
  with pytest.raises(ValueError, match="say different things"):
    write(saved_model=other)


def test_an_archive_needs_a_plain_name(write):
  with pytest.raises(ValueError, match="last part"):
    write(asset_path="https://example.com/get?file=pets.tar.gz")


def test_for_hugging_face_the_url_is_that_of_the_repository(write, tmp_path):
  pytest.importorskip("huggingface_hub")
  (command,) = write(format="huggingface", asset_path=None)
  assert sorted(os.listdir(tmp_path / "out")) == _FILES
  page = (tmp_path / "out/README.md").read_text("utf-8")
  assert "huggingface.co/my-lab/pets/resolve/main/pets-1.tar.gz" in page
  assert shlex.split(command) == [
    *("hf", "upload", "my-lab/pets", str(tmp_path / "out"), "."),
  ]


def test_its_command_is_one_of_the_library():
  pytest.importorskip("huggingface_hub.cli.hf")
  usage = subprocess.run(
    [sys.executable, "-m", "huggingface_hub.cli.hf", "upload", "--help"],
    capture_output=True,
    text=True,
    timeout=60,
  ).stdout
  assert "REPO_ID [LOCAL_PATH] [PATH_IN_REPO]" in " ".join(usage.split())


@pytest.mark.parametrize(
  ("handle", "kaggle"),
  [
    ("my-lab/pets/1", "my-lab/pets/tensorFlow1/default"),
    ("my-lab/pets/large/v2/1", "my-lab/pets/tensorFlow1/large-v2"),
  ],
)
def test_for_other_hubs_kaggle_and_a_web_server_are_told(handle, kaggle):
  given = PageDetails(**{**modules.DETAILS, "handle": handle})
  command, server = publish_dir.upload_commands("/a b/it's", given)
  _, _, code = shlex.split(command)
  compile(code, "command", "exec")
  assert f"model_upload({kaggle!r}" in code
  assert server.startswith("#")
  assert server.endswith("https://example.com/pets/")
