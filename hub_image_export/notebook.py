# SPDX-License-Identifier: Apache-2.0
"""How notebooks show what this package returns."""

from __future__ import annotations

import html


def as_html(title: str, text: str) -> str:
  """A heading, which folds, and the lines of text as they are."""
  return (
    f"<details open><summary><b>{html.escape(title)}</b></summary>"
    f"<pre>{html.escape(text)}</pre></details>"
  )
