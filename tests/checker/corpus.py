# SPDX-License-Identifier: Apache-2.0
"""The corpus: modules with one defect each, and modules without any.

`DEFECTS[rule]` lists functions from a path to the module that they write
there; each trips that rule with its usual severity and no other error.
`WARNINGS[rule]` has modules without errors that the rule warns of, and `GOOD`
those that conform.

  python -m tests.checker.corpus DIRECTORY     writes all of them
"""

from __future__ import annotations

import collections
import importlib
import pathlib
import sys
from typing import Any, Callable

from tests.checker import edit

Maker = Callable[[str], object]

DEFECTS: dict[str, list[Maker]] = collections.defaultdict(list)
WARNINGS: dict[str, list[Maker]] = collections.defaultdict(list)
GOOD: list[Maker] = []


def _registering(
  makers: list[Maker], cases: dict[str, dict[str, Any]]
) -> Callable[[Maker], Maker]:
  for name, options in cases.items():
    makers.append(_maker(name, **options))

  def register(maker: Maker) -> Maker:
    makers.append(maker)
    return maker

  return register


def _maker(name: str, change: Any = None, **options: Any) -> Maker:
  def make(path: str) -> None:
    with edit.saved_model(path, **options) as proto:
      for meta_graph in proto.meta_graphs if change else ():
        change(meta_graph)

  make.__name__ = name
  return make


def breaks(rule: str, **cases: dict[str, Any]) -> Callable[[Maker], Maker]:
  """Registers modules that break `rule`.

  Each of `cases` has options of `tiny.build`, and in `change` what to do to
  each MetaGraphDef afterwards. The result is a decorator for other makers.
  """
  return _registering(DEFECTS[rule], cases)


def warns(rule: str, **cases: dict[str, Any]) -> Callable[[Maker], Maker]:
  """Registers modules without errors that `rule` warns of; see `breaks`."""
  return _registering(WARNINGS[rule], cases)


def good(**cases: dict[str, Any]) -> Callable[[Maker], Maker]:
  """Registers modules that conform; see `breaks`.

  What TensorFlow 1.15 does not know and need not is dropped from them.
  """
  makers: list[Maker] = []
  _registering(makers, cases)
  GOOD.extend(map(_without_debug_names, makers))
  return lambda maker: GOOD.append(_without_debug_names(maker)) or maker


def _without_debug_names(maker: Maker) -> Maker:
  def make(path: str) -> None:
    maker(path)
    edit.drop_debug_names(path)

  make.__name__ = maker.__name__
  return make


def load() -> None:
  """Registers all modules."""
  for name in (
    "defects_behaviour", "defects_files", "defects_fine_tuning",
    "defects_manifest", "defects_objects", "defects_signatures",
    "defects_silent", "good_modules", "good_odd_modules",
  ):  # fmt: skip
    importlib.import_module(f"tests.checker.{name}")


def main(directory: str) -> None:
  load()
  for kind, makers in (("error", DEFECTS), ("warning", WARNINGS)):
    for rule, group in makers.items():
      for maker in group:
        maker(str(pathlib.Path(directory) / kind / rule / maker.__name__))
  for maker in GOOD:
    maker(str(pathlib.Path(directory) / "good" / maker.__name__))


if __name__ == "__main__":
  sys.modules["tests.checker.corpus"] = sys.modules["__main__"]
  main(sys.argv[1])
