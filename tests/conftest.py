# SPDX-License-Identifier: Apache-2.0
"""What all tests have: one setting of TensorFlow, one published module."""

from __future__ import annotations

import os

import pytest

# Grouped convolutions, which rewritten graphs are compared with, have a
# gradient on CPUs in oneDNN alone. TensorFlow switches it on by itself where
# it knows the processor, and reads this when it is imported.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


@pytest.fixture(scope="session", autouse=True)
def prepared():
  """Lets one process judge all modules: each forks it, and TensorFlow is
  imported once.
  """
  from hub_image_export import checker

  with checker.prepared():
    yield


@pytest.fixture(scope="session")
def module(tmp_path_factory):
  """Path of a module of two tasks, with labels."""
  from tests.publishing import modules

  path = tmp_path_factory.mktemp("published") / "module"
  modules.spec(labels=modules.LABELS).export(path)
  return path


@pytest.fixture(scope="session")
def archive(module):
  """Path of its archive."""
  import hub_image_export as hie

  path = module.parent / "module.tar.gz"
  hie.write_archive(module, path)
  return path
