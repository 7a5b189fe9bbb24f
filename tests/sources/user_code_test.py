# SPDX-License-Identifier: Apache-2.0
"""`file.py:name` and `package.module:name` as places of models."""

import sys
import textwrap

import pytest

from hub_image_export import errors
from hub_image_export.sources import user_code


@pytest.fixture
def write(tmp_path, monkeypatch):
  monkeypatch.setattr(sys, "path", list(sys.path))

  def write_file(name, text):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(textwrap.dedent(text))
    return str(path)

  return write_file


@pytest.mark.parametrize(
  "text", ["net.py:model", "/a b/c-d/net.py:model", "a.b.c:fn", "a:b"]
)
def test_reference(text):
  assert user_code.is_reference(text)


@pytest.mark.parametrize(
  "text", ["net.py", "net.py:", "a/b:c", "net.py:a.b", "MobileNetV2", "a-b:c"]
)
def test_no_reference(text):
  assert not user_code.is_reference(text)


def test_file_imports_its_neighbours(write):
  write("a_neighbour.py", "def double(x): return 2 * x")
  path = write("net.py", "from a_neighbour import double as model")
  assert user_code.load(f"{path}:model")(3) == 6


def test_file_with_the_name_of_a_library(write):
  path = write("json.py", "def model(x): return x")
  before = sys.modules["json"]
  assert user_code.load(f"{path}:model")(3) == 3
  assert sys.modules["json"] is before


def test_file_with_a_dataclass(write):
  path = write(
    "net.py",
    """
    from __future__ import annotations
    import dataclasses
    @dataclasses.dataclass
    class Net:
      a: int
      def __call__(self, x):
        return self.a * x
    model = Net(2)
    """,
  )
  assert user_code.load(f"{path}:model")(3) == 6


def test_module_in_the_working_directory(write, tmp_path, monkeypatch):
  write("a_package/net.py", "def model(x): return x + 1")
  monkeypatch.chdir(tmp_path)
  assert user_code.load("a_package.net:model")(3) == 4


@pytest.mark.parametrize(
  "text, name, error, message",
  [
    ("def model(x): pass", "modle", ValueError, "Did you mean 'model'"),
    ("def b(x): 0\ndef a(x): 0", "zz", ValueError, r"no 'zz': exp.*: a, b$"),
    ("import os", "zz", ValueError, "function in it, which has none"),
    ("model = 3", "model", TypeError, "of type int"),
    ("class Net: pass", "Net", TypeError, r"a class.*model = Net\(\)"),
    ("1 / 0", "f", errors.SourceError, "imported: ZeroDivisionError: division"),
    ("def f(:", "f", errors.SourceError, "imported: SyntaxError"),
    ("import no_such_lib", "f", errors.SourceError, "No module .*no_such_lib"),
    ("raise SystemExit(1)", "f", errors.SourceError, "exits.*__main__"),
  ],
)
def test_bad_file(write, text, name, error, message):
  path = write("bad_net.py", text)
  with pytest.raises(error, match=message):
    user_code.load(f"{path}:{name}")


def test_missing_file():
  with pytest.raises(ValueError, match="'no/net.py' is no file: expected"):
    user_code.load("no/net.py:model")


@pytest.mark.parametrize("place", ["no_such_package", "json.no_such_module"])
def test_missing_module(place):
  with pytest.raises(ValueError, match=f"no module '{place}'.*file.py:name"):
    user_code.load(f"{place}:model")


def test_module_that_fails(write, tmp_path, monkeypatch):
  write("failing_net.py", "import no_such_lib")
  monkeypatch.chdir(tmp_path)
  with pytest.raises(errors.SourceError, match="failing_net fails.*such_lib"):
    user_code.load("failing_net:model")
