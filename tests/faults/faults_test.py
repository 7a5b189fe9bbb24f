# SPDX-License-Identifier: Apache-2.0
"""F6: a few faults of each kind; `python -m tests.faults` has them all."""

from __future__ import annotations

import importlib
import random

import pytest

from tests.faults import __main__ as program, damage, hostile_values
from tests.faults.attempts import SKIPPED, Scale


@pytest.mark.slow
@pytest.mark.newest
@pytest.mark.parametrize("kind", program.KINDS)
def test_nothing_is_lost(kind):
  attempts = list(program.inject(kind, Scale.SHORT))
  lost = [attempt for attempt in attempts if attempt[2]]
  skipped = [fault for fault, _, why in lost if why == SKIPPED]
  assert len(lost) == len(skipped), lost
  assert len(attempts) > len(skipped)
  if skipped:
    pytest.skip(f"all but {skipped}: {SKIPPED}")


@pytest.mark.parametrize(
  "name", [*program.KINDS, "exporter_process", "module_worker"]
)
def test_what_injects_faults_can_be_imported(name):
  """The faults themselves are slow tests; a name that is gone shows at once."""
  importlib.import_module(f"tests.faults.{name}")


def test_what_is_lost_is_told(monkeypatch, capsys):
  attempts = [("unplugged", "a", ""), ("unplugged", "b", "melted")]
  monkeypatch.setattr(program, "inject", lambda kind, scale: iter(attempts))
  for name, value in (("_KINDS", ["disk"]), ("_SHORT", True)):
    flag = type("Flag", (), {"value": value})
    monkeypatch.setattr(program, name, flag)
  assert program.main([""]) == 1
  assert capsys.readouterr().out.splitlines() == [
    "lost: disk: unplugged: b: melted",
    "disk: unplugged: 2, lost 1",
    "all: 2, lost 1",
  ]
  del attempts[1]
  assert program.main([""]) == 0


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
  assert hostile_values.elements(markup) != hostile_values.elements("x")
