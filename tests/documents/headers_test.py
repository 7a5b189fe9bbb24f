# SPDX-License-Identifier: Apache-2.0
"""Each Python file begins with its licence."""

from __future__ import annotations

import pathlib

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_LICENCE = "# SPDX-License-Identifier: Apache-2.0\n"
_FOLDERS = ("hub_image_export", "tests", "examples", "tools", "benchmarks")


def test_each_python_file_begins_with_its_licence():
  files = list(_ROOT.glob("*.py"))
  for folder in _FOLDERS:
    files += _ROOT.glob(f"{folder}/**/*.py")
  assert len(files) > 200
  assert not [
    str(file.relative_to(_ROOT))
    for file in files
    if not file.read_text("utf-8").startswith(_LICENCE)
  ]
