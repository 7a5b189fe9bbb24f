# SPDX-License-Identifier: Apache-2.0
"""Saved models that were changed at random run nothing: a short run."""

from __future__ import annotations

import pytest

from tests.untrusted import mutants


@pytest.mark.slow
def test_mutants_run_nothing(tmp_path):
  figures = mutants.run(0, 100, str(tmp_path))
  print(figures)
  assert figures["count"] == 100
  assert not figures["bad"]
  # They are not all refused for the same reason, nor all damaged.
  assert figures["outcomes"]["refused"] > 20
  assert figures["outcomes"].get("loaded", 0) > 0
