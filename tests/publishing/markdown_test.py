# SPDX-License-Identifier: Apache-2.0
"""Names in Markdown: text, whatever they look like."""

from __future__ import annotations

import pytest

from hub_image_export.publishing import markdown


@pytest.mark.parametrize(
  ("name", "expected"),
  [
    ("golden retriever, dog", "golden retriever, dog"),
    ("Grüße", "Grüße"),
    ("<script>", "&lt;script&gt;"),
    ("a|b", "a\\|b"),
    ("*a* _b_ `c`", "\\*a\\* \\_b\\_ \\`c\\`"),
    ("[a](b)", "\\[a\\](b)"),
    ("a\nb\x1b", "a\\\\nb\\\\x1b"),
    ("\u202eright", "\\\\u202eright"),
    ("http://x.y", "http\\://x.y"),
    ("www.x.y", "www\\.x.y"),
    ("&amp;", "&amp;amp;"),
    ("- a - b", "\\- a - b"),
    ("---", "\\---"),
    ("===", "\\==="),
    ("12. a", "12\\. a"),
    ("1) a", "1\\) a"),
  ],
)
def test_text(name, expected):
  assert markdown.text(name) == expected


@pytest.mark.parametrize(
  ("name", "expected"),
  [
    ("Net/conv", "`Net/conv`"),
    ("a`b", "``a`b``"),
    ("`", "`` ` ``"),
    ("a|b", "`a\\|b`"),
  ],
)
def test_code(name, expected):
  assert markdown.code(name) == expected


def test_no_line_closes_a_block():
  found = markdown.block(["a", "````", "b"], "text")
  assert found == "`````text\na\n````\nb\n`````"
  assert markdown.block(["a\nb"], "") == "```\na\\nb\n```"


def test_table():
  found = markdown.table(["a", "b"], [["1", "2"]])
  assert found == "| a | b |\n| --- | --- |\n| 1 | 2 |"
