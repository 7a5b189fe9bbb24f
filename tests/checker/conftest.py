# SPDX-License-Identifier: Apache-2.0
"""What tests of the judge share."""

from __future__ import annotations

import pytest

from hub_image_export import checker
from hub_image_export.checker.runner import Workers


@pytest.fixture
def nothing_prepared(monkeypatch):
  """No process waits for modules, as it does for other tests."""
  workers = Workers()
  monkeypatch.setattr(checker, "_WORKERS", workers)
  monkeypatch.setattr(checker, "prepared", workers.prepared)
