# SPDX-License-Identifier: Apache-2.0
"""Small exports, some without TensorFlow, and what killed ones leave."""

from __future__ import annotations

import os
import pathlib

import hub_image_export as hie
from hub_image_export.files.staging import Staging
from hub_image_export.files.staging_directory import StagingDirectory
from tests.support import function_sources


def make_spec(value=1.0):
  """A spec of a tiny network whose variable `net/mean` is `value`."""
  net = function_sources.Net()
  net.mean.assign([value] * 5)
  return hie.make_feature_vector_module(net, 12, 10)


def fill(directory, text="new"):
  """Makes what passes for a module."""
  directory = pathlib.Path(directory)
  directory.mkdir(exist_ok=True)
  (directory / "saved_model.pb").write_text(text)
  (directory / "tfhub_module.pb").touch()


def text_of(directory):
  return (pathlib.Path(directory) / "saved_model.pb").read_text()


def leave(target, **directories):
  """What an export that was killed leaves; returns the directory."""
  staged = StagingDirectory(str(target))
  assert staged.make()
  for name, text in directories.items():
    fill(os.path.join(staged.path, name), text)
  staged._unlock()
  return pathlib.Path(staged.path)


def export(target, text="new", overwrite=True):
  with Staging(target, overwrite=overwrite) as stage:
    fill(stage.path, text)
    stage.commit()
