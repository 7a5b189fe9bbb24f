"""The BUILD files against the imports: every file, every dependency."""

from __future__ import annotations

import ast
import pathlib
import sys

import pytest

from tools import build_files

pytestmark = pytest.mark.skipif(
  sys.version_info < (3, 10), reason="sys.stdlib_module_names is of 3.10."
)

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_RULES = ("py_binary", "py_library", "py_test")


def _python_files():
  files = list(_ROOT.glob("*.py"))
  for package in build_files.PACKAGES:
    files.extend(_ROOT.glob(f"{package}/**/*.py"))
  return [file.relative_to(_ROOT).as_posix() for file in sorted(files)]


def _rules(build_file):
  """Attributes of each Python target: Starlark parses as Python."""
  tree = ast.parse(build_file.read_text("utf-8"))
  for node in ast.walk(tree):
    if isinstance(node, ast.Call) and node.func.id in _RULES:
      attributes = {k.arg: ast.literal_eval(k.value) for k in node.keywords}
      yield {"rule": node.func.id, **attributes}


@pytest.mark.parametrize("name", _python_files())
def test_every_file_has_one_target_with_the_deps_that_it_imports(name):
  file = _ROOT / name
  build_file = file.parent / "BUILD"
  assert build_file.exists(), "Run: python -m tools.build_files"
  rows = [row for row in _rules(build_file) if file.name in row["srcs"]]
  assert len(rows) == 1, "Run: python -m tools.build_files"
  (row,) = rows
  assert row["srcs"] == [file.name]
  assert row.get("deps", []) == build_files.dependencies(file, _ROOT)
  assert row["rule"] == "py_test" or not name.endswith("_test.py")


def test_no_target_is_without_its_file():
  for build_file in _ROOT.glob("**/BUILD"):
    for row in _rules(build_file):
      for source in row["srcs"] + row.get("data", []):
        assert (build_file.parent / source).exists(), f"{build_file}: {source}"


def test_the_files_are_as_the_tool_writes_them():
  assert build_files.outdated(_ROOT) == []


@pytest.fixture
def tree(tmp_path):
  package = tmp_path / "hub_image_export"
  (package / "sub").mkdir(parents=True)
  for name in ("__init__.py", "compat.py", "sub/__init__.py", "sub/rules.py"):
    (package / name).write_text("")
  return tmp_path


@pytest.mark.parametrize(
  ("code", "deps"),
  [
    ("import os, json", []),
    ("import numpy as np", ["@pip//numpy"]),
    ("import tensorflow.compat.v1 as tf", ["@pip//tensorflow"]),
    ("from hub_image_export.compat import tf", [":compat"]),
    ("from hub_image_export import compat", [":compat"]),
    ("from hub_image_export import hub", [":hub_image_export"]),
    (
      "from hub_image_export.sub import rules",
      ["//hub_image_export/sub:rules"],
    ),
    (
      "from hub_image_export.sub import name",
      ["//hub_image_export/sub:sub"],
    ),
    ("def f():\n  from hub_image_export import compat", [":compat"]),
    ("_LAZY = {'tf': 'hub_image_export.compat'}", [":compat"]),
    ("import importlib\n_LAZY = {'tf': 'compat'}", [":compat"]),
    ("_WORD = 'compat'", []),
    ("from compat import tf", [":compat"]),
    ("import numpy, hub_image_export.compat", [":compat", "@pip//numpy"]),
  ],
)
def test_dependencies(tree, code, deps):
  file = tree / "hub_image_export" / "foo.py"
  file.write_text(code)
  assert build_files.dependencies(file, tree) == deps


@pytest.mark.parametrize(
  ("code", "message"),
  [
    ("import nowhere", "add it to THIRD_PARTY"),
    ("import hub_image_export.nowhere", "no such file"),
    ("from . import compat", "Relative import in line 1"),
  ],
)
def test_unknown_imports_are_errors(tree, code, message):
  file = tree / "hub_image_export" / "foo.py"
  file.write_text(code)
  with pytest.raises(ValueError, match=message):
    build_files.dependencies(file, tree)


def test_a_changed_import_makes_the_build_file_outdated(tree):
  file = tree / "hub_image_export" / "foo.py"
  file.write_text("import numpy\n")
  for path, text in build_files.build_files(tree).items():
    path.write_text(text)
  assert build_files.outdated(tree) == []
  file.write_text("from hub_image_export import compat\n")
  assert build_files.outdated(tree) == [tree / "hub_image_export" / "BUILD"]
