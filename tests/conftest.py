"""One published module for all tests that read one."""

from __future__ import annotations

import pytest

import hub_image_export as hie
from tests.publishing import modules


@pytest.fixture(scope="session")
def module(tmp_path_factory):
  """Path of a module of two tasks, with labels."""
  path = tmp_path_factory.mktemp("published") / "module"
  modules.spec(labels=modules.LABELS).export(path)
  return path


@pytest.fixture(scope="session")
def archive(module):
  """Path of its archive."""
  path = module.parent / "module.tar.gz"
  hie.write_archive(module, path)
  return path
