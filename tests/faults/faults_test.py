"""F6: a few faults of each kind; `python -m tests.faults` has them all."""

from __future__ import annotations

import pytest

from tests.faults import page, results
from tests.faults.__main__ import KINDS, PAGE, kind_module, text_of
from tests.faults.outcome import Outcome, Scale, tally


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_lost(kind):
  outcomes = list(kind_module(kind).run(Scale.SHORT))
  assert [line for outcome in outcomes for line in outcome.lost] == []
  assert [o.fault for o in outcomes if o.survived != o.injected] == []
  assert sum(outcome.injected for outcome in outcomes)
  skipped = [o.note for o in outcomes if o.note.startswith("skipped")]
  if skipped:
    pytest.skip(f"all but: {skipped}")


def test_what_is_lost_is_told():
  outcome = tally("unplugged", [("a", ""), ("b", "melted")], lambda: "hot")
  assert (outcome.injected, outcome.survived) == (2, 1)
  assert outcome.lost == ("unplugged: b: melted",)
  text = page.text(
    "", {"disk": [outcome]}, {"disk": "Disks.\n\nAll of them.\n"}
  )
  assert "| disk | unplugged | 2 | 1 | 1 | 0 | hot |" in text
  assert "Lost: `unplugged: b: melted`" in text
  assert "**disk.** Disks.\nAll of them." in text


def test_the_page_is_made_of_the_results():
  found = results.Results.read()
  assert PAGE.read_text("utf-8") == text_of(found), (
    "Run: python -m tests.faults --page_only"
  )
  assert not [
    line for rows in found.outcomes.values() for o in rows for line in o.lost
  ]


def test_the_page_sums_up():
  one = Outcome("one", 1000, 1000, 1.0, ())
  text = page.text("", {"a": [one], "b": [one]}, {})
  assert "| **all** | 2,000 | 2,000 | 0 | 2 |" in text
