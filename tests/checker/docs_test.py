# SPDX-License-Identifier: Apache-2.0
"""docs/rules.md tells every rule, and cites the contract."""

from __future__ import annotations

import pathlib
import re

from hub_image_export.checker import rules

_DOCS = pathlib.Path(__file__).parents[2] / "docs"
_ROW = re.compile(r"^\| `([\w-]+)` \| (\w+) \| ([^|]+) \| [^|]+ \|$", re.M)


def test_docs_tell_every_rule():
  found = _ROW.findall((_DOCS / "rules.md").read_text(encoding="utf-8"))
  assert found == [(name, *rule) for name, rule in rules.RULES.items()]


def test_every_rule_cites_a_requirement_of_the_contract():
  contract = (_DOCS / "contract.md").read_text(encoding="utf-8")
  for name, rule in rules.RULES.items():
    for number in rule.requirement.split(", "):
      assert number == "-" or f"**{number}**" in contract, name
