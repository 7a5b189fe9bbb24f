# SPDX-License-Identifier: Apache-2.0
"""Runs the README's code.

Each `##` section is a program of its own: its ```python blocks run in order,
in one namespace, in an empty directory. A block that starts with ```python
no-run is for reading only. What a section takes for granted ("your model") is
made by a comment that readers do not see, before the blocks that need it:

  <!-- given
  model = ...
  -->

Blocks that start with ```sh ci are run by `.ci/run`, from a clean clone.
"""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys

import pytest

_README = pathlib.Path(__file__).resolve().parents[2] / "README.md"
_SECTION = re.compile(r"^## (.*)$", re.MULTILINE)
_CODE = re.compile(
  r"^(?:```python\n(?P<block>.*?)^```|<!-- given\n(?P<given>.*?)^-->)",
  re.MULTILINE | re.DOTALL,
)


def programs(text):
  """Yields `(title, code)` for each section with code to run.

  Lines of the code have the numbers that they have in `text`.
  """
  starts = [(0, "start")]
  # A "## " inside a block is a comment of the code, not a heading.
  prose = re.sub(
    r"^```.*?^```",
    lambda block: re.sub(r"[^\n]", " ", block[0]),
    text,
    flags=re.MULTILINE | re.DOTALL,
  )
  starts += [(match.start(), match[1]) for match in _SECTION.finditer(prose)]
  ends = [start for start, _ in starts[1:]] + [len(text)]
  for (start, title), end in zip(starts, ends):
    code, line = "", 1
    for match in _CODE.finditer(text, start, end):
      group = "block" if match["block"] is not None else "given"
      first_line = text.count("\n", 0, match.start(group)) + 1
      code += "\n" * (first_line - line) + match[group]
      line = first_line + match[group].count("\n")
    if code:
      yield title, code


def _readme_programs():
  text = _README.read_text("utf-8") if _README.exists() else ""
  return [pytest.param(code, id=title) for title, code in programs(text)]


@pytest.mark.slow
@pytest.mark.parametrize("code", _readme_programs())
def test_section_runs(code, tmp_path):
  # A file: TensorFlow's autograph reads the source of functions.
  program = tmp_path / "section.py"
  program.write_text(code, "utf-8")
  directory = tmp_path / "empty"
  directory.mkdir()
  process = subprocess.run(
    [sys.executable, str(program)],
    cwd=directory,
    env={**os.environ, "PYTHONPATH": str(_README.parent)},
    capture_output=True,
    text=True,
    timeout=300,
  )
  assert process.returncode == 0, process.stderr[-4000:]


def test_the_readme_has_code_that_runs():
  assert _readme_programs()


def test_the_readme_has_the_two_commands():
  blocks = re.findall(
    r"^```sh ci\n(.*?)^```", _README.read_text("utf-8"), re.M | re.S
  )
  assert any("-m examples.digits" in block for block in blocks)
  assert any("-m pytest" in block for block in blocks)


_EXAMPLE = """Smallest call:
```python
a = 1
```
## One
<!-- given
b = 2
-->
```python
## Not a heading.
c = b
```
```python no-run
d
```
## Two
```sh
ls
```
"""


def test_programs_are_the_sections_with_their_given_code():
  found = dict(programs(_EXAMPLE))
  assert list(found) == ["start", "One"]
  lines = [line for line in found["One"].splitlines() if line]
  assert lines == ["b = 2", "## Not a heading.", "c = b"]


def test_programs_keep_the_line_numbers():
  lines = dict(programs(_EXAMPLE))["One"].split("\n")
  assert lines[11 - 1] == "c = b"
