# SPDX-License-Identifier: Apache-2.0
"""F6: while a module is replaced, and what is seen of it."""

from __future__ import annotations

import os

import pytest

import hub_image_export as hie
from hub_image_export.errors import ExportError
from hub_image_export.files import directory_swap, staging, staging_directory
from hub_image_export.files.staging import Staging
from hub_image_export.tensorflow_api.compat import tf
from tests.support import function_sources
from tests.support.consumer import Consumer
from tests.support.staged import export, fill, leave, make_spec, text_of


@pytest.fixture
def target(tmp_path):
  return tmp_path / "module"


@pytest.mark.parametrize("made", [False, True])
def test_killed_between_two_renames(made, target):
  """The old module is put back, unless a new one is there."""
  leave(target, module="half", old="old")
  if made:
    fill(target, "other")
  with pytest.raises(ExportError, match="exists"):
    export(target, overwrite=False)
  assert text_of(target) == ("other" if made else "old")
  assert os.listdir(target.parent) == ["module"]


def test_an_old_module_is_put_back_by_an_export_that_fails(target):
  leave(target, old="old")
  with pytest.raises(ExportError), Staging(target, overwrite=True):
    raise OSError("broken")
  assert text_of(target) == "old"


def test_an_old_module_is_kept_where_it_cannot_be_put_back(target):
  stale = leave(target, old="old")
  target.mkdir()
  (target / "thesis.txt").touch()
  staging_directory.clean_stale(str(target))
  assert text_of(stale / "old") == "old"


class _Interrupted(BaseException):
  pass


@pytest.mark.parametrize("rename", [1, 2, 3])
def test_interrupted_in_a_swap_of_two_renames(rename, target, monkeypatch):
  fill(target, "old")
  monkeypatch.setattr(directory_swap, "_exchange", lambda a, b: False)
  original, count = os.rename, []

  def interrupted(a, b):
    count.append(a)
    if len(count) == rename:
      raise _Interrupted
    return original(a, b)

  monkeypatch.setattr(os, "rename", interrupted)
  with pytest.raises(_Interrupted):
    export(target)
  monkeypatch.undo()
  assert text_of(target) == "old"
  assert os.listdir(target.parent) == ["module"]


def test_somebody_else_in_the_midst_of_a_swap(target, monkeypatch):
  """Who takes the place between the two renames keeps it, or is replaced."""
  fill(target, "old")
  monkeypatch.setattr(directory_swap, "_exchange", lambda a, b: False)
  original = os.rename

  def taken(a, b):
    original(a, b)
    if os.path.basename(b) == "old":
      fill(target, "other")

  monkeypatch.setattr(os, "rename", taken)
  with pytest.raises(ExportError, match="at the same time"):
    export(target)
  assert text_of(target) == "other"
  assert os.listdir(target.parent) == ["module"]


def test_taken_meanwhile(target, monkeypatch):
  with pytest.raises(ExportError, match="exists"), Staging(target) as stage:
    fill(stage.path)
    monkeypatch.setattr(
      staging, "sync_tree", lambda path: fill(target, "other")
    )
    stage.commit()
  assert text_of(target) == "other"
  assert os.listdir(target.parent) == ["module"]


def test_a_consumer_between_loading_and_initializing(target):
  """Hub restores by path, and at initialization: it gets the new weights."""
  make_spec().export(target)
  consumer = Consumer(str(target))
  make_spec(2.0).export(target, overwrite=True)
  assert consumer.values()["net/mean"][0] == 1.0
  consumer.start_session()
  assert consumer.values()["net/mean"][0] == 2.0


def test_a_consumer_of_another_architecture_gets_an_error(target):
  make_spec().export(target)
  consumer = Consumer(str(target))
  hie.make_feature_vector_module(
    function_sources.tf1_function, 12, 10, arch_name="Other"
  ).export(target, overwrite=True)
  with pytest.raises(tf.errors.NotFoundError, match="not found in checkpoint"):
    consumer.start_session()
