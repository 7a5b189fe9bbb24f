"""Writes the BUILD files from the imports: one target for each Python file.

  python -m tools.build_files          # writes what is out of date
  python -m tools.build_files --check  # lists it and exits with 1

Labels of packages from PyPI are those of rules_python's pip extension,
`@pip//numpy`. Needs Python 3.10 or later.
"""

from __future__ import annotations

import ast
import pathlib
import re
import sys
from collections.abc import Iterator

PACKAGES = ("hub_image_export", "tests", "examples", "tools", "benchmarks")

# Names of distributions, in the labels' spelling, by the module imported.
THIRD_PARTY = {
  "absl": "absl_py",
  "google": "protobuf",
  "h5py": "h5py",
  "keras": "keras",
  "markdown_it": "markdown_it_py",
  "numpy": "numpy",
  "pytest": "pytest",
  "setuptools": "setuptools",
  "sklearn": "scikit_learn",
  "tensorflow": "tensorflow",
  "tensorflow_hub": "tensorflow_hub",
  "tf_keras": "tf_keras",
}

_MODULE_NAME = re.compile(rf"({'|'.join(PACKAGES)})(\.\w+)+")
_HEADER = '''"""One target for each Python file: see tools/build_files.py."""

'''
_EXPORTED = ("CHANGELOG.md", "LICENSE", "README.md", "pyproject.toml")


def imported_names(tree: ast.AST) -> Iterator[tuple[str, str | None]]:
  """Yields `(module, name)` for each import."""
  for node in ast.walk(tree):
    if isinstance(node, ast.Import):
      yield from ((alias.name, None) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
      if node.level:
        raise ValueError(f"Relative import in line {node.lineno}.")
      yield from ((node.module, alias.name) for alias in node.names)


def strings(tree: ast.AST) -> set[str]:
  return {
    node.value
    for node in ast.walk(tree)
    if isinstance(node, ast.Constant) and isinstance(node.value, str)
  }


def dependencies(path: pathlib.Path, root: pathlib.Path) -> list[str]:
  """Labels of what the file at `path` imports, sorted.

  A string like "examples.digits" counts as an import where there is such a
  file: `python -m` looks like that. So does "builders" in a file that uses
  importlib, where there is such a neighbour.

  Raises:
    ValueError: If a module is neither here, nor in `THIRD_PARTY`, nor in the
      standard library.
  """
  tree = ast.parse(path.read_text("utf-8"))
  labels = set()
  for module, name in imported_names(tree):
    top = module.split(".")[0]
    if top in PACKAGES:
      labels.add(_internal_label(module, name, root))
    elif top in THIRD_PARTY:
      labels.add(f"@pip//{THIRD_PARTY[top]}")
    elif neighbour := _file_of(module, path.parent):
      # pytest puts the directory of a test on the path.
      labels.add(_label(neighbour, root))
    elif top not in sys.stdlib_module_names:
      raise ValueError(
        f"{path} imports {module}, which is unknown: add it to THIRD_PARTY."
      )
  for string in strings(tree):
    if _MODULE_NAME.fullmatch(string) and (file := _file_of(string, root)):
      labels.add(_label(file, root))
  if ("importlib", None) in imported_names(tree):
    for string in filter(str.isidentifier, strings(tree)):
      if file := _file_of(string, path.parent):
        labels.add(_label(file, root))
  own = _label(path, root)
  labels.discard(own)
  package = own.rpartition(":")[0]
  short = (re.sub(f"^{package}:", ":", label) for label in labels)
  return sorted(short, key=lambda label: (":/@".index(label[0]), label))


def target(path: pathlib.Path, root: pathlib.Path) -> dict[str, object]:
  """Name, rule and attributes of the target of one Python file."""
  if path.name.endswith("_test.py"):
    rule = "py_test"
  elif '\nif __name__ == "__main__":' in path.read_text("utf-8"):
    rule = "py_binary"
  else:
    rule = "py_library"
  attributes = {"rule": rule, "name": _name(path), "srcs": [path.name]}
  if data := _data_files(path):
    attributes["data"] = data
  if deps := dependencies(path, root):
    attributes["deps"] = deps
  return attributes


def build_file(directory: pathlib.Path, root: pathlib.Path) -> str:
  """The text of the BUILD file of `directory`."""
  rows = [target(path, root) for path in sorted(directory.glob("*.py"))]
  parts = []
  if rows:
    rules = "".join(f', "{rule}"' for rule in sorted({r["rule"] for r in rows}))
    parts.append(f'load("@rules_python//python:defs.bzl"{rules})\n')
  parts.append('package(default_visibility = ["//visibility:public"])\n')
  if directory == root:
    exported = _starlark_list(list(_EXPORTED), indent="")
    parts.append(f"exports_files({exported})\n")
  parts.extend(_starlark_rule(row) for row in rows)
  return _HEADER + "\n".join(parts)


def build_files(root: pathlib.Path) -> dict[pathlib.Path, str]:
  """Texts of all BUILD files under `root`, by path."""
  directories = {root}
  for package in PACKAGES:
    directories.update(path.parent for path in root.glob(f"{package}/**/*.py"))
  return {d / "BUILD": build_file(d, root) for d in sorted(directories)}


def outdated(root: pathlib.Path) -> list[pathlib.Path]:
  """BUILD files that do not say what the imports say."""
  expected = build_files(root)
  return [
    path
    for path, text in expected.items()
    if not path.exists() or path.read_text("utf-8") != text
  ]


def _name(path: pathlib.Path) -> str:
  return path.parent.name if path.name == "__init__.py" else path.stem


def _label(path: pathlib.Path, root: pathlib.Path) -> str:
  package = path.parent.relative_to(root).as_posix()
  return f"//{'' if package == '.' else package}:{_name(path)}"


def _file_of(module: str, root: pathlib.Path) -> pathlib.Path | None:
  base = root.joinpath(*module.split("."))
  for file in (base / "__init__.py", base.with_suffix(".py")):
    if file.exists():
      return file
  return None


def _internal_label(module: str, name: str | None, root: pathlib.Path) -> str:
  """The label of the file that `from module import name` reads."""
  file = name and _file_of(f"{module}.{name}", root)
  file = file or _file_of(module, root)
  if not file:
    raise ValueError(f"{module} is imported, but there is no such file.")
  return _label(file, root)


def _data_files(path: pathlib.Path) -> list[str]:
  """Files of `data/` beside `path` that its code names in a string."""
  named = strings(ast.parse(path.read_text("utf-8")))
  files = sorted(path.parent.glob("data/*"))
  return [f"data/{file.name}" for file in files if file.name in named]


def _starlark_list(values: list[str], indent: str = "    ") -> str:
  if len(values) == 1:
    return f'["{values[0]}"]'
  lines = "".join(f'{indent}    "{value}",\n' for value in values)
  return f"[\n{lines}{indent}]"


def _starlark_rule(row: dict[str, object]) -> str:
  lines = [f"{row['rule']}(", f'    name = "{row["name"]}",']
  for key in ("srcs", "data", "deps"):
    if key in row:
      lines.append(f"    {key} = {_starlark_list(row[key])},")
  return "\n".join([*lines, ")", ""])


def main(argv: list[str]) -> int:
  root = pathlib.Path(__file__).resolve().parents[1]
  paths = outdated(root)
  for path in paths:
    print(f"{path.relative_to(root)} is out of date")
    if "--check" not in argv:
      path.write_text(build_files(root)[path], "utf-8")
  return 1 if paths and "--check" in argv else 0


if __name__ == "__main__":
  sys.exit(main(sys.argv))
