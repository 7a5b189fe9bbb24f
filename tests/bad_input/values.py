# SPDX-License-Identifier: Apache-2.0
"""Values that are wrong wherever some kind of argument is expected."""

from __future__ import annotations

import math
import pathlib

import numpy as np

from tests.bad_input.row import Made, file


class Text(str):
  """A string of a class of its own, which prints as something else."""

  def __str__(self) -> str:
    return "something else"


class Bytes:
  """A path that gives bytes."""

  def __fspath__(self) -> bytes:
    return b"module"


def _generator(_):
  return (item for item in ("a", "b"))


GENERATOR = Made("generator", _generator)
SURROGATE = "\ud800"

NOT_BOOLS = ["yes", "", "False", 1, 0, 1.0, None, np.True_, [], GENERATOR]
NOT_SIZES = [
  224.0,
  "224",
  b"224",
  True,
  None,
  [224],
  (12, 10),
  {},
  1j,
  math.nan,
  math.inf,
  np.float32(224),
  np.array([224]),
  GENERATOR,
  pathlib.Path("224"),
]
BAD_SIZES = [0, -1, -(2**31), np.int64(-1), 2**31, 2**63, 10**5000]
GOOD_SIZES = [1, np.int32(7), np.uint8(7), np.int64(7)]
NOT_STRINGS = [3, 1.5, True, b"text", ["a"], {"a": 1}, pathlib.Path("a")]
NOT_LISTS = ["conv", b"conv", 3, True, {"a": 1}, GENERATOR, pathlib.Path("a")]
BAD_ITEMS = [[3], [None], ["a", b"b"], ("a", ""), [["a"]], {1}]
NOT_PATHS = [
  3,
  1.5,
  True,
  b"module",
  ["a"],
  {"a": 1},
  object,
  Bytes(),
  GENERATOR,
]
BAD_PATHS = ["", "a\0b", SURROGATE]
REMOTE = ["gs://bucket/path", "https://example.com/path"]
NOT_MAPPINGS = ["a", b"a", 3, True, ["a"], [("a", "b")], GENERATOR]
BAD_PAIRS = [{3: "a"}, {"a": 3}, {"a": None}, {"": "a"}, {"a": ""}, {"a": b"a"}]
LONG = "x" * 100_000


def too_long(suffix: str = "") -> list[str]:
  """A name and a path, each longer than Linux takes."""
  return ["/tmp/" + "ö" * 128 + suffix, "/tmp" + "/x" * 2048 + suffix]


def paths(name: str) -> list[Made]:
  """The path of one of the files, in all the forms that there are."""
  return [file(name), file(name, pathlib.Path), file(name, Text)]
