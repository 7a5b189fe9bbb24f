"""Injects faults, and prints figures.

  python -m tests.faults
  python -m tests.faults --kinds=killed --kinds=disk
  python -m tests.faults --short  # as few as the tests do

The figures go to results.json, kind by kind, and all of them to docs/faults.md.
Exit code: 0 nothing was lost; 1 something was, and is told.
"""

from __future__ import annotations

import importlib
import pathlib
import types
from collections.abc import Iterable, Iterator, Sequence

from absl import app, flags

from tests.faults import page, results
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
PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "faults.md"
_KINDS = flags.DEFINE_multi_enum(
  "kinds", list(KINDS), KINDS, "Kinds of faults; all by default."
)
_SHORT = flags.DEFINE_bool("short", False, "As few faults as the tests inject.")
_PAGE_ONLY = flags.DEFINE_bool(
  "page_only", False, "Injects nothing: writes the page of earlier figures."
)


def kind_module(kind: str) -> types.ModuleType:
  """The module that injects one kind of faults."""
  return importlib.import_module(f"tests.faults.{kind}")


def main(argv: Sequence[str]) -> int:
  if argv[1:]:
    raise app.UsageError(f"Got the arguments {argv[1:]}; expected flags only.")
  scale = Scale.SHORT if _SHORT.value else Scale.FULL
  if _PAGE_ONLY.value:
    PAGE.write_text(text_of(results.Results.read()), "utf-8")
    return 0
  something_was_lost = False
  for kind in _KINDS.value:
    outcomes = list(_told(kind, kind_module(kind).run(scale)))
    something_was_lost |= any(outcome.lost for outcome in outcomes)
    if scale is Scale.FULL:
      found = results.update(page.environment(), kind, outcomes)
      if found.outcomes.keys() == set(KINDS):
        PAGE.write_text(text_of(found), "utf-8")
  return int(something_was_lost)


def text_of(found: results.Results) -> str:
  """The page of results of all kinds."""
  outcomes = {kind: found.outcomes[kind] for kind in KINDS}
  descriptions = {kind: kind_module(kind).__doc__ for kind in KINDS}
  return page.text(found.environment, outcomes, descriptions)


def _told(kind: str, outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
  for outcome in outcomes:
    print(page.row(kind, outcome), flush=True)
    for line in outcome.lost:
      print(f"  lost: {line}", flush=True)
    yield outcome


if __name__ == "__main__":
  app.run(main)
