"""docs/rules.md is the table of rules.

python tests/checker/docs_test.py     writes the table anew
"""

from __future__ import annotations

import pathlib

from hub_image_export.checker import rules

_DOCS = pathlib.Path(__file__).parents[2] / "docs/rules.md"
_BEGIN, _END = "<!-- rules: begin -->\n", "<!-- rules: end -->"


def _with_table(text):
  before, _, rest = text.partition(_BEGIN)
  _, _, after = rest.partition(_END)
  return f"{before}{_BEGIN}{rules.as_markdown()}{_END}{after}"


def test_docs_have_the_table_of_rules():
  text = _DOCS.read_text(encoding="utf-8")
  assert text == _with_table(text)


def test_every_rule_cites_a_requirement_of_the_contract():
  contract = (_DOCS.parent / "contract.md").read_text(encoding="utf-8")
  for rule in rules.RULES.values():
    for number in rule.requirement.split(", "):
      assert number == "-" or f"**{number}**" in contract, rule.name


if __name__ == "__main__":
  _DOCS.write_text(_with_table(_DOCS.read_text(encoding="utf-8")), "utf-8")
