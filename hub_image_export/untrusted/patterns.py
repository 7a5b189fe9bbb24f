# SPDX-License-Identifier: Apache-2.0
"""Regular expressions that may take for ever.

Python looks for a match without end where an expression is bad enough, and
nothing can stop it but the end of its process. So matches are made in a process
of their own, within a time limit. Names without special characters need none.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping

MAX_SECONDS = 10.0
_PLAIN = re.compile(r"[\w/:-]*")
_PROGRAM = """
import json, re, sys
rules, names = json.load(sys.stdin)
found = {}
for pattern, replacement in rules.items():
  try:
    re.sub(pattern, replacement, "")
    matches = {n: re.fullmatch(pattern, n) for n in names}
    found[pattern] = {
      n: m.expand(replacement) for n, m in matches.items() if m
    }
  except (re.error, IndexError, OverflowError, RecursionError) as error:
    found[pattern] = str(error)
json.dump(found, sys.stdout)
"""


def expand(
  rules: Mapping[str, str], names: Iterable[str]
) -> dict[str, dict[str, str]]:
  r"""What patterns that match names wholly make of them.

  Args:
    rules: replacements by patterns; `\\1` stands for a group.
    names: of any number.

  Returns:
    For each pattern, the names that it matches and what becomes of each.

  Raises:
    ValueError: a pattern or a replacement is none, or takes too long; the
      message begins with it.
  """
  names = list(names)
  plain = {
    p: r for p, r in rules.items() if _PLAIN.fullmatch(p) and "\\" not in r
  }
  others = {p: r for p, r in rules.items() if p not in plain}
  found = {p: {p: r} if p in names else {} for p, r in plain.items()}
  for pattern, matches in _matched(others, names).items():
    if isinstance(matches, str):
      raise ValueError(f"{pattern!r}: {rules[pattern]!r} ({matches})")
    found[pattern] = matches
  return {pattern: found[pattern] for pattern in rules}


def _matched(
  rules: dict[str, str], names: list[str]
) -> dict[str, dict[str, str] | str]:
  if not rules:
    return {}
  try:
    done = subprocess.run(
      [sys.executable, "-I", "-S", "-c", _PROGRAM],
      input=json.dumps([rules, names]),
      capture_output=True,
      text=True,
      timeout=MAX_SECONDS,
      check=True,
    )
  except subprocess.TimeoutExpired:
    pattern = next(iter(rules))
    more = f" (or one of {len(rules) - 1} others)" if len(rules) > 1 else ""
    raise ValueError(
      f"{pattern!r}{more}, which takes longer than {MAX_SECONDS:g} seconds to "
      "match"
    ) from None
  except subprocess.CalledProcessError as error:
    lines = error.stderr.strip().splitlines() or ["it ended"]
    raise ValueError(f"{next(iter(rules))!r} ({lines[-1]:.200})") from None
  return json.loads(done.stdout)
