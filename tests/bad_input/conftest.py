# SPDX-License-Identifier: Apache-2.0
"""One place for all rows."""

from __future__ import annotations

import pytest

from tests.bad_input.place import Place


@pytest.fixture(scope="session")
def place(tmp_path_factory):
  return Place(tmp_path_factory.mktemp("place"))
