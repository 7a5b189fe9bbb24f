# SPDX-License-Identifier: Apache-2.0
"""Only a module, and nothing beside it, is ever replaced (F1, F6)."""

from __future__ import annotations

import os
import shutil

import pytest

import hub_image_export as hie
from hub_image_export.tensorflow_api.compat import tf
from tests.support import staged
from tests.untrusted import saved_cases, watched


@pytest.fixture(scope="module")
def module(tmp_path_factory):
  path = tmp_path_factory.mktemp("modules") / "module"
  staged.make_spec().export(path)
  return path


def _refused(target, *names):
  before = watched.state(str(target.parent))
  with pytest.raises(hie.ExportError) as error:
    staged.export(target, overwrite=True)
  assert watched.state(str(target.parent)) == before
  for name in names:
    assert name in str(error.value)


@pytest.mark.parametrize(
  "name",
  [
    "checkpoints/model-1.index", "notes.txt", "keras_metadata.pb",
    "fingerprint.pb", "assets/deep/file", "assets.extra/notes.txt",
    "assets.extra/warmup/requests", "variables/backup/variables.index",
    "variables/variables.data-00000-of-00001.bak", "variables/checkpoint",
    ".git/config", "saved_model.pbtxt", "tfhub_module.pb.orig", "Assets/a",
    ".hidden", "variables.index", "1/saved_model.pb",
  ],
)  # fmt: skip
def test_what_stands_beside_a_module_is_kept(name, module, tmp_path):
  target = tmp_path / "module"
  shutil.copytree(module, target)
  file = target / name
  file.parent.mkdir(parents=True, exist_ok=True)
  file.write_text("years of work")
  first, *rest = name.split("/")
  known = first in ("assets", "assets.extra", "variables")
  _refused(target, f"{first}/{rest[0]}" if known else first)


@pytest.mark.parametrize("name", ["empty", "assets.extra/empty", "variables/e"])
def test_folders_are_kept(name, module, tmp_path):
  target = tmp_path / "module"
  shutil.copytree(module, target)
  (target / name).mkdir(parents=True)
  _refused(target, name)


@pytest.mark.parametrize("name", ["assets", "assets/link", "link", "variables"])
def test_links_are_kept(name, module, tmp_path):
  target = tmp_path / "module"
  shutil.copytree(module, target)
  place = target / name
  if place.exists():
    shutil.move(place, tmp_path / "elsewhere")
  place.parent.mkdir(exist_ok=True)
  place.symlink_to(tmp_path / "elsewhere")
  _refused(target, name)


@pytest.mark.parametrize("missing", ["tfhub_module.pb", "saved_model.pb"])
def test_half_a_module_is_kept(missing, module, tmp_path):
  target = tmp_path / "module"
  shutil.copytree(module, target)
  os.remove(target / missing)
  _refused(target, f"no {missing}")


def test_a_saved_model_with_checkpoints_is_kept(tmp_path):
  """A folder of a user's own, with all that training left."""
  target = tmp_path / "trained"
  saved_cases.v2(str(target))
  tf.train.Checkpoint(v=tf.Variable(1.0)).save(str(target / "ckpt" / "model"))
  (target / "notes.md").write_text("years of work")
  _refused(target, "no tfhub_module.pb", "ckpt", "notes.md")


def test_module_with_all_that_exports_write_is_replaced(module, tmp_path):
  target = tmp_path / "module"
  shutil.copytree(module, target)
  (target / "assets").mkdir(exist_ok=True)
  (target / "assets" / "vocabulary.txt").write_text("a")
  (target / "assets.extra" / "labels.txt").write_text("a")
  staged.export(target, overwrite=True)
  assert staged.text_of(target) == "new"
  assert os.listdir(tmp_path) == ["module"]
