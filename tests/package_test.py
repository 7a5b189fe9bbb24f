# SPDX-License-Identifier: Apache-2.0
"""The package as an importer meets it: lazy, typed, clear when it fails."""

from __future__ import annotations

import ast
import os
import pathlib
import re
import subprocess
import sys

import pytest

import hub_image_export as hie

_ROOT = pathlib.Path(__file__).resolve().parents[1]


# As much of TensorFlow as is touched before tensorflow_hub.
_TENSORFLOW = """
import types
__version__ = "2.15.0"
compat = types.SimpleNamespace(v1=types.SimpleNamespace())
"""


def _python(code, *paths):
  """Runs `code` in a fresh process, with `paths` before all others."""
  path = os.pathsep.join(map(str, [*paths, _ROOT]))
  return subprocess.run(
    [sys.executable, "-c", code],
    env={**os.environ, "PYTHONPATH": path},
    capture_output=True,
    text=True,
    timeout=120,
  )


def _import_error(*paths):
  """The message of the ImportError of `hie.hub`."""
  process = _python(
    "import hub_image_export as hie\n"
    "try:\n"
    "  hie.hub\n"
    "except ImportError as error:\n"
    "  print(error)\n",
    *paths,
  )
  assert process.returncode == 0, process.stderr
  return process.stdout


def _assert_says_how_to_mend_it(message):
  assert "Installed: " in message
  assert "Needed: tensorflow 2.12 to 2.21" in message
  assert "tensorflow-hub 0.15" in message
  assert "pip install " in message


def test_the_import_leaves_tensorflow_alone():
  process = _python(
    "import sys, hub_image_export\n"
    "heavy = {'tensorflow', 'tensorflow_hub', 'keras', 'numpy'}\n"
    "print(sorted(heavy & set(sys.modules)))\n"
  )
  assert process.stdout == "[]\n", process.stderr


def test_dir_lists_the_public_names():
  assert set(hie.__all__) <= set(dir(hie))


@pytest.mark.parametrize("name", sorted(hie.__all__))
def test_every_public_name_resolves(name):
  assert getattr(hie, name) is not None


@pytest.mark.parametrize("name", sorted(hie.__all__))
def test_the_readme_has_every_public_name(name):
  readme = (_ROOT / "README.md").read_text("utf-8")
  assert re.search(rf"(hie\.|`){name}\b", readme)


def test_type_checkers_know_the_same_names():
  """They read imports, which nothing runs; the package reads a table."""
  tree = ast.parse(pathlib.Path(hie.__file__).read_text("utf-8"))
  (block,) = (node for node in tree.body if isinstance(node, ast.If))
  assert ast.unparse(block.test) == "TYPE_CHECKING"
  imported = {
    alias.asname: node.module.removeprefix("hub_image_export.")
    for node in block.body
    for alias in node.names
  }
  assert imported == hie._HOMES


def test_an_unknown_name_is_an_attribute_error():
  with pytest.raises(AttributeError, match="no_such_name"):
    hie.no_such_name  # noqa: B018


def test_the_package_is_typed():
  assert (pathlib.Path(hie.__file__).parent / "py.typed").exists()


def test_hub_without_the_tf1_api_is_named(tmp_path):
  (tmp_path / "tensorflow.py").write_text(_TENSORFLOW)
  (tmp_path / "tensorflow_hub.py").write_text("__version__ = '0.16.1'\n")
  message = _import_error(tmp_path)
  assert "tensorflow_hub 0.16.1 has no hub.Module" in message
  _assert_says_how_to_mend_it(message)


def test_hub_that_cannot_be_imported_is_named(tmp_path):
  (tmp_path / "tensorflow.py").write_text(_TENSORFLOW)
  (tmp_path / "tensorflow_hub.py").write_text(
    "raise ImportError('No module named pkg_resources')\n"
  )
  message = _import_error(tmp_path)
  assert "tensorflow_hub cannot be imported" in message
  assert "No module named pkg_resources" in message
  _assert_says_how_to_mend_it(message)


def test_missing_tensorflow_is_named(tmp_path):
  (tmp_path / "tensorflow.py").write_text(
    "raise ModuleNotFoundError('No module named tensorflow')\n"
  )
  message = _import_error(tmp_path)
  assert "TensorFlow cannot be imported" in message
  _assert_says_how_to_mend_it(message)


def test_old_tensorflow_is_named(tmp_path):
  (tmp_path / "tensorflow.py").write_text("__version__ = '1.15.5'\n")
  message = _import_error(tmp_path)
  assert "TensorFlow 1.15.5 is too old" in message
  _assert_says_how_to_mend_it(message)


@pytest.mark.parametrize("enabled", [True, False])
def test_no_garbage_is_looked_for_while_tensorflow_is_imported(
  enabled, tmp_path
):
  """Whether it is looked for afterwards is up to the user, as before."""
  (tmp_path / "tensorflow.py").write_text(
    "import gc\nprint(gc.isenabled())\n__version__ = '1.15.5'\n"
  )
  process = _python(
    "import gc\n"
    f"gc.{'enable' if enabled else 'disable'}()\n"
    "import hub_image_export as hie\n"
    "try:\n"
    "  hie.hub\n"
    "except ImportError:\n"
    "  print(gc.isenabled())\n",
    tmp_path,
  )
  assert process.stdout.split() == ["False", str(enabled)], process.stderr
