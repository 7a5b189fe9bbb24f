"""What makes hostile input, and what judges a page, do so."""

from __future__ import annotations

import random

import pytest

from tests.faults import damage, rendered


def test_damage_is_the_same_for_the_same_seed():
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
