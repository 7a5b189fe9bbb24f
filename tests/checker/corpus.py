"""The corpus: modules with one defect each, and modules without any.

`DEFECTS[rule]` lists functions from a path to the module that they write
there; each trips that rule with its usual severity and no other error.
`GOOD` has the modules that conform.

  python -m tests.checker.corpus DIRECTORY     writes all of them
"""

from __future__ import annotations

import collections
import importlib
import pathlib
import sys
from typing import Callable

Maker = Callable[[str], object]

DEFECTS: dict[str, list[Maker]] = collections.defaultdict(list)
WARNINGS: dict[str, list[Maker]] = collections.defaultdict(list)
GOOD: list[Maker] = []


def breaks(rule: str) -> Callable[[Maker], Maker]:
  """Registers a module that breaks `rule`."""

  def register(maker: Maker) -> Maker:
    DEFECTS[rule].append(maker)
    return maker

  return register


def warns(rule: str) -> Callable[[Maker], Maker]:
  """Registers a module without errors that `rule` warns of."""

  def register(maker: Maker) -> Maker:
    WARNINGS[rule].append(maker)
    return maker

  return register


def good(maker: Maker) -> Maker:
  GOOD.append(maker)
  return maker


def load() -> None:
  """Registers all modules; imports TensorFlow."""
  for name in (
    "defects_behaviour", "defects_files", "defects_fine_tuning",
    "defects_hermetic", "defects_inputs", "defects_manifest",
    "defects_outputs", "defects_signatures", "good_modules",
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
