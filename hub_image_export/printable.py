"""Text from elsewhere, with everything spelt out that does more than show."""

from __future__ import annotations


def printable(text: str, kept: str = "") -> str:
  """`text` with escape sequences for all characters that are not printable.

  Those are line breaks, control characters, which a terminal would take for
  commands, and those that turn the direction of writing.

  Args:
    kept: characters that stay as they are, printable or not.
  """
  return "".join(
    c if c.isprintable() or c in kept else c.encode("unicode_escape").decode()
    for c in text
  )
