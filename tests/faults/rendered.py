"""What a page becomes in a browser, by an independent Markdown renderer."""

from __future__ import annotations

import collections
import html.parser

import markdown_it


class _Elements(html.parser.HTMLParser):
  """Counts elements with their attributes, and comments."""

  def __init__(self) -> None:
    super().__init__()
    self.found: collections.Counter[str] = collections.Counter()

  def handle_starttag(
    self, tag: str, attrs: list[tuple[str, str | None]]
  ) -> None:
    shown = " ".join(f"{key}={value}" for key, value in attrs)
    self.found[f"<{tag} {shown}>"] += 1

  def handle_comment(self, data: str) -> None:
    self.found[f"<!--{data}-->"] += 1

  def handle_decl(self, decl: str) -> None:
    self.found[f"<!{decl}>"] += 1

  def handle_pi(self, data: str) -> None:
    self.found[f"<?{data}>"] += 1

  unknown_decl = handle_decl


def elements(page: str) -> collections.Counter[str]:
  """The elements of a page of Markdown, as GitHub reads it, by their tags."""
  options = {"html": True, "linkify": True}
  renderer = markdown_it.MarkdownIt("commonmark", options)
  renderer.enable(["table", "strikethrough", "linkify"])
  parser = _Elements()
  parser.feed(renderer.render(page))
  parser.close()
  return parser.found
