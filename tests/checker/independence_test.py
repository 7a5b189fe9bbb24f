"""The checker takes nothing from the exporter but the contract's names."""

from __future__ import annotations

import ast
import pathlib

import pytest

from hub_image_export import checker

_ALLOWED = ("arguments", "contract", "tensorflow_api", "untrusted", "checker")
_FILES = sorted(pathlib.Path(checker.__file__).parent.rglob("*.py"))


def _imported(file):
  """Names of what the file imports from the package."""
  for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
    if isinstance(node, ast.ImportFrom) and node.module:
      if node.module == "hub_image_export":
        yield from (alias.name for alias in node.names)
      elif node.module.startswith("hub_image_export."):
        yield node.module.split(".")[1]
    elif isinstance(node, ast.Import):
      for alias in node.names:
        if alias.name.startswith("hub_image_export"):
          yield alias.name.partition(".")[2]


@pytest.mark.parametrize("file", _FILES, ids=lambda file: file.name)
def test_checker_imports_only_the_contract(file):
  assert set(_imported(file)) <= set(_ALLOWED)


def test_the_files_are_found():
  assert len(_FILES) > 20
