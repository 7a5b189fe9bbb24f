"""Injects faults, and prints figures.

  python -m tests.faults          # all: writes docs/faults.md, too
  python -m tests.faults --kinds=killed --kinds=disk
  python -m tests.faults --short  # as few as the tests do

Exit code: 0 nothing was lost; 1 something was, and is told.
"""

from __future__ import annotations

import importlib
import pathlib
import types
from collections.abc import Sequence

from absl import app, flags

from tests.faults import page
from tests.faults.outcome import Outcome, Scale

KINDS = (
  "killed",
  "disk",
  "paths",
  "memory",
  "races",
  "load",
  "mutated_modules",
  "mutated_archives",
  "hostile_values",
)
_PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "faults.md"
_KINDS = flags.DEFINE_multi_enum(
  "kinds", list(KINDS), KINDS, "Kinds of faults; all by default."
)
_SHORT = flags.DEFINE_bool("short", False, "As few faults as the tests inject.")


def kind_module(kind: str) -> types.ModuleType:
  """The module that injects one kind of faults."""
  return importlib.import_module(f"tests.faults.{kind}")


def main(argv: Sequence[str]) -> int:
  if argv[1:]:
    raise app.UsageError(f"Got the arguments {argv[1:]}; expected flags only.")
  scale = Scale.SHORT if _SHORT.value else Scale.FULL
  outcomes: dict[str, list[Outcome]] = {}
  for kind in _KINDS.value:
    for outcome in kind_module(kind).run(scale):
      outcomes.setdefault(kind, []).append(outcome)
      print(page.row(kind, outcome), flush=True)
      for line in outcome.lost:
        print(f"  lost: {line}", flush=True)
  if scale is Scale.FULL and set(_KINDS.value) == set(KINDS):
    descriptions = {kind: kind_module(kind).__doc__ for kind in KINDS}
    _PAGE.write_text(page.text(outcomes, descriptions), "utf-8")
  return int(any(o.lost for found in outcomes.values() for o in found))


if __name__ == "__main__":
  app.run(main)
