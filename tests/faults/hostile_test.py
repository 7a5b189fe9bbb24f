"""Nothing from elsewhere harms the machine or the page: the short run.

All of it: python -m tests.faults
"""

from __future__ import annotations

import pytest

from tests.faults import (
  damage,
  hostile_values,
  mutated_archives,
  mutated_modules,
  rendered,
)
from tests.faults.outcome import Scale


@pytest.mark.parametrize(
  "kind", [mutated_archives, mutated_modules, hostile_values]
)
def test_nothing_is_lost(kind):
  outcomes = list(kind.run(Scale.SHORT))
  for outcome in outcomes:
    print(f"{outcome.fault}: {outcome.survived} of {outcome.injected}")
  assert [line for outcome in outcomes for line in outcome.lost] == []
  assert all(o.injected == o.survived > 0 for o in outcomes)


def test_damage_is_the_same_for_the_same_seed():
  import random

  content = bytes(range(256)) * 4
  made = [damage.damaged(content, random.Random(seed)) for seed in range(50)]
  again = [damage.damaged(content, random.Random(seed)) for seed in range(50)]
  assert made == again
  assert len(set(made)) > 40


@pytest.mark.parametrize(
  "markup",
  ["<b>x</b>", "[x](y)", "![x](y)", "- x", "# x", "http://x.com", "<!--x-->"],
)
def test_the_renderer_sees_markup(markup):
  """Else the pages would look good whatever stood on them."""
  assert rendered.elements(markup) != rendered.elements("x")
