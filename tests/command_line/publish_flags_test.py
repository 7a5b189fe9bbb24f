# SPDX-License-Identifier: Apache-2.0
"""`export_module --page --archive`, from its flags to its files."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from hub_image_export.command_line import (
  export_flags,
  export_module,
  run as command_line,
)
from hub_image_export.tensorflow_api.compat import tf
from tests.publishing import hub_rules

_CODE = """
import sys
sys.path.insert(0, {root!r})
from tests.publishing.modules import network

def classifier(images):
  return network(images)["image_classification"]
"""


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
  """A function that runs export_module on a classifier in a file."""
  import pathlib

  root = str(pathlib.Path(__file__).parents[2])
  monkeypatch.chdir(tmp_path)
  (tmp_path / "net.py").write_text(_CODE.format(root=root))
  (tmp_path / "labels.txt").write_text("a\nb\nc\n")
  flags = [
    "--model=net.py:classifier",
    "--task=classification",
    "--height=12",
    "--width=10",
    "--export_path=module",
  ]

  def run(*more):
    code = command_line.run(
      export_module.main,
      export_flags.FLAGS,
      "",
      ["export_module", *flags, *more],
    )
    for name in export_flags.FLAGS:
      export_flags.FLAGS[name].unparse()
    return code, capsys.readouterr()

  return run


_PAGE = (
  "--page=1.md",
  "--handle=my-lab/pets/1",
  "--asset_path=https://example.com/1.tar.gz",
)


def test_page_and_archive(run, tmp_path):
  code, output = run(
    *_PAGE,
    "--archive=m.tar.gz",
    "--labels=labels.txt",
    "--scores=softmax",
    "--license=mit",
  )
  assert code == 0, output.err
  assert hub_rules.archive_errors(tmp_path / "m.tar.gz") == []
  page = (tmp_path / "1.md").read_text("utf-8")
  assert hub_rules.page_errors(page) == []
  digest = hashlib.sha256((tmp_path / "m.tar.gz").read_bytes()).hexdigest()
  assert digest in output.out


def test_a_folder_to_upload(run, tmp_path):
  hub = pytest.importorskip("huggingface_hub")
  pixels = np.zeros([4, 6, 3], np.uint8)
  (tmp_path / "photo.png").write_bytes(tf.io.encode_png(pixels).numpy())
  code, output = run(
    "--publish_dir=out",
    "--page_format=huggingface",
    "--handle=My-Lab/pets/1",
    "--labels=labels.txt",
    "--scores=softmax",
    "--example=photo.png",
    "--dataset=my-lab/photos",
    "--results=accuracy=0.5,f1=0.25",
  )
  assert code == 0, output.err
  assert "hf upload My-Lab/pets out ." in output.out
  assert {path.name for path in (tmp_path / "out").iterdir()} == {
    *("README.md", "check_report.json", "labels.txt", "manifest.json"),
    *("network.svg", "example.svg", "pets-1.tar.gz"),
  }
  card = hub.ModelCard.load(tmp_path / "out" / "README.md")
  assert card.data.metrics == ["accuracy", "f1"]


def test_a_folder_with_both_formats(run, tmp_path):
  flags = ("--labels=labels.txt", "--scores=softmax", "--publish_dir=out")
  code, output = run(*_PAGE[1:], *flags, "--format=hub,saved_model")
  assert code == 0, output.err
  for name in ("1.tar.gz", "1-tf2.tar.gz"):
    assert hub_rules.archive_errors(tmp_path / "out" / name) == []
  page = (tmp_path / "out" / "README.md").read_text("utf-8")
  assert 'url = "https://example.com/1-tf2.tar.gz"' in page


@pytest.mark.parametrize(
  ("flags", "message"),
  [
    (_PAGE, "what its classes are"),
    (("--page=1.md",), "--handle is missing: expected with --page"),
    (("--page=1.txt",), ".md"),
    (("--license=mit",), "without --page"),
    (("--publish_dir=out",), "--handle is missing: expected with --page"),
    (("--publish_dir=there", *_PAGE[1:]), "exists"),
    ((*_PAGE, "--example=photo.jpg"), "photo.jpg"),
    ((*_PAGE, "--results=good"), "accuracy=0.97"),
    ((*_PAGE, "--format=saved_model"), "--format=hub,saved_model"),
    (("--archive=m.tar.gz", "--format=hub,saved_model"), "--publish_dir"),
    ((*_PAGE, "--license=MIT License"), "Did you mean mit"),
    ((*_PAGE, "--handle=Pets"), "publisher/name/version"),
    (("--archive=m.zip",), ".tar.gz"),
    (("--archive=there.tar.gz",), "exists"),
    ((*_PAGE, "--page=there.md"), "exists"),
  ],
)
def test_what_is_wrong_is_told_before_anything_is_written(
  flags, message, run, tmp_path
):
  for name in ("there.tar.gz", "there.md"):
    (tmp_path / name).write_text("old")
  (tmp_path / "there").mkdir()
  (tmp_path / "there" / "thesis.tex").write_text("mine")
  code, output = run(*flags)
  assert code == command_line.EXIT_UNUSABLE
  assert message in output.err
  assert not (tmp_path / "module").exists()
  assert (tmp_path / "there.tar.gz").read_text() == "old"
