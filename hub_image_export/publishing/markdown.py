# SPDX-License-Identifier: Apache-2.0
"""Names from elsewhere in Markdown, where they are text and nothing more."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterable

from hub_image_export.arguments import printable

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# What opens emphasis, code, links, images, cells, math, mentions or links that
# GitHub makes of bare addresses.
_SPECIAL = frozenset("\\`*_{}[]#+!|~$@^\"'")
# What makes a list, a rule or a heading where a paragraph begins.
_FIRST = re.compile(r"^(\d*)([-=.)])")
_BARE_LINK = re.compile(r"(:)(?=//)|\b(?<=www)(\.)", re.IGNORECASE)


def text(name: str) -> str:
  """`name` as plain text in a paragraph, list or table."""
  escaped = "".join(
    _ENTITIES.get(c, f"\\{c}" if c in _SPECIAL else c) for c in printable(name)
  )
  escaped = _FIRST.sub(r"\1\\\2", escaped)
  return _BARE_LINK.sub(r"\\\g<0>", escaped)


def code(name: str) -> str:
  """`name` as a code span, also in a table."""
  name = printable(name)
  ticks = "`" * (_longest_run_of_ticks(name) + 1)
  # A span may neither begin nor end with the delimiter's character.
  space = " " if name.startswith("`") or name.endswith("`") else ""
  return f"{ticks}{space}{name}{space}{ticks}".replace("|", "\\|")


def block(lines: Iterable[str], language: str) -> str:
  """`lines` in a fence that nothing in them can close."""
  content = "\n".join(map(printable, lines))
  fence = "`" * max(3, _longest_run_of_ticks(content) + 1)
  return f"{fence}{language}\n{content}\n{fence}"


def picture(description: str, path: str) -> str:
  """An image beside the page; `description` is Markdown already."""
  return f"![{description}]({urllib.parse.quote(path)})"


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
  """A table; its cells are Markdown already."""
  lines = [list(header)]
  lines.append(["---"] * len(lines[0]))
  lines += map(list, rows)
  return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _longest_run_of_ticks(content: str) -> int:
  return max(map(len, re.findall("`+", content)), default=0)
