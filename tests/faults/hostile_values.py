# SPDX-License-Identifier: Apache-2.0
"""Hostile texts in every place where a name can stand.

A text survives if it is refused by a ValueError, or if the page, rendered by
another implementation of Markdown, has the very elements, attributes and
comments that it has with a harmless name; on a terminal, if nothing but
printable characters arrives.
"""

from __future__ import annotations

import collections
import dataclasses
import html.parser
import itertools
import pathlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import markdown_it
import yaml

from hub_image_export.publishing.forms import FORMATS
from tests.faults.attempts import Attempt, Scale
from tests.faults.hostile_texts import TEXTS

_HARMLESS = "harmless"
_DETAILS = {
  "handle": "my-lab/pets/1",
  "asset_path": "https://example.com/1.tar.gz",
  "scores": "softmax",
  "class_definition": "https://example.com/classes",
}
# What the other form has lists of, and takes any identifier for.
_MORE = {"huggingface": {"dataset": "pets", "network": "mobilenet"}}
Place = Callable[[str], str]


def run(scale: Scale) -> Iterator[Attempt]:
  with tempfile.TemporaryDirectory(prefix="hostile_values_") as folder:
    facts = _facts(pathlib.Path(folder))
    step = 1 if scale is Scale.FULL else 4
    places = [(f, p) for f in FORMATS for p in _places(facts, f).items()]
    for page_format, (place, page) in places:
      texts = itertools.islice(_texts(place), 0, None, step)
      yield from _attempts(
        f"{page_format}, {place}", texts, page, _same_page(page)
      )
    yield from _attempts("label", TEXTS, _label(pathlib.Path(folder)), _plain)
  yield from _attempts("report, of check_module", TEXTS, _report, _plain)
  yield from _attempts("error, of a script", TEXTS, _error, _plain)


def _texts(place: str) -> Iterable[str]:
  """Alone, and for fields of a form, behind what the form demands."""
  good = _DETAILS.get(place)
  if good is None:
    return TEXTS
  head, tail = good[:-7], good[-7:]
  # Another URL is a good one.
  return itertools.chain(
    (text for text in TEXTS if not text.startswith("http")),
    (good + text for text in TEXTS),
    (head + text + tail for text in TEXTS),
  )


def _facts(folder: pathlib.Path) -> Any:
  from hub_image_export.publishing.module_facts import read_module
  from tests.publishing import modules

  modules.spec(labels=["cat", "dog", "neither"]).export(folder / "module")
  return read_module(folder / "module")


def _places(facts: Any, page_format: str) -> dict[str, Place]:
  from hub_image_export.publishing.details import PageDetails
  from hub_image_export.publishing.module_page import make_page

  details = {**_DETAILS, **_MORE.get(page_format, {}), "format": page_format}

  def field(name: str) -> Place:
    def page(text: str) -> str:
      if text == _HARMLESS and name != "description":
        text = details.get(name)
      return make_page(facts, PageDetails(**{**details, name: text})).text

    return page

  def fact(change: Callable[[str], dict[str, Any]]) -> Place:
    return lambda text: (
      make_page(
        dataclasses.replace(facts, **change(text)), PageDetails(**details)
      ).text
    )

  return {
    **{f.name: field(f.name) for f in dataclasses.fields(PageDetails)},
    "class": fact(lambda text: {"labels": [text, "b", "c"]}),
    "preprocessing": fact(lambda text: {"preprocessing": text}),
    "TensorFlow": fact(lambda text: {"tensorflow": text, "too_new": (text,)}),
    "output": fact(lambda text: _renamed(facts, text)),
  }


def _renamed(facts: Any, text: str) -> dict[str, Any]:
  """An endpoint called `text`."""
  shapes = dict(facts.shapes)
  old = next(key for key in sorted(shapes) if key.startswith("Pets/"))
  shapes[text] = shapes.pop(old)
  stages = {
    key: dataclasses.replace(stage, names=[text])
    if stage.names == [old]
    else stage
    for key, stage in facts.stages.items()
  }
  return {"stages": stages, "shapes": shapes}


def _same_page(page: Place) -> Callable[[str], str]:
  expected = elements(page(_HARMLESS))

  def problem(result: str) -> str:
    found = _without_forms(elements(result))
    more = found - _without_forms(expected)
    less = _without_forms(expected) - found
    return f"has {dict(more)} instead of {dict(less)}" if more or less else ""

  return problem


def _without_forms(
  found: collections.Counter[str],
) -> collections.Counter[str]:
  """With the values of well-formed URLs and identifiers left out.

  What a form lets through (a handle, a URL) differs from page to page: it may
  change an attribute, and add nothing.
  """
  kept: collections.Counter[str] = collections.Counter()
  for element, count in found.items():
    start, separator, _ = element.partition("https://example.com/")
    kept[start + separator] += count
  return kept


def _label(folder: pathlib.Path) -> Place:
  from hub_image_export.export import labels

  path = folder / "labels.txt"

  def read(text: str) -> str:
    path.write_bytes(text.encode("utf-8", "surrogatepass") + b"\nb\n")
    return "".join(labels.resolve(str(path))).replace("\u200d", "")

  return read


def _report(text: str) -> str:
  from hub_image_export.checker.report import Findings, Report

  findings = Findings()
  findings.add("corrupt-file", text, text)
  return str(Report(text, tuple(findings.all))).replace("\n", "")


def _error(text: str) -> str:
  from hub_image_export.command_line import run as command_line

  return command_line.for_terminal(text).replace("\n", "")


def _plain(result: str) -> str:
  # Zero-width and turning characters are letters' companions in some scripts.
  bad = [c for c in result if not c.isprintable() and ord(c) < 0xA0]
  return f"has the characters {bad}" if bad else ""


def _attempts(
  fault: str,
  texts: Iterable[str],
  place: Place,
  problem: Callable[[str], str],
) -> Iterator[Attempt]:
  for text in texts:
    try:
      found = problem(place(text))
    except (ValueError, TypeError) as error:
      found = "" if str(error) else "was refused without a word"
    yield fault, repr(text[:80]), f"{found:.400}"


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

  handle_pi = unknown_decl = handle_decl


def elements(page: str) -> collections.Counter[str]:
  """The elements of a page of Markdown, as GitHub reads it, by their tags.

  Those of the front matter are its keys, with the types of their values.
  """
  metadata = ""
  if page.startswith("---\n"):
    metadata, _, page = page.removeprefix("---\n").partition("\n---")
  options = {"html": True, "linkify": True}
  renderer = markdown_it.MarkdownIt("commonmark", options)
  renderer.enable(["table", "strikethrough", "linkify"])
  parser = _Elements()
  parser.feed(renderer.render(page))
  parser.close()
  parser.found.update(_leaves("", yaml.safe_load(metadata)))
  return parser.found


def _leaves(key: str, value: Any) -> Iterator[str]:
  if not isinstance(value, (dict, list)):
    yield f"{key}: {type(value).__name__}"
    return
  pairs = value.items() if isinstance(value, dict) else enumerate(value)
  for inner, found in pairs:
    yield from _leaves(f"{key}/{inner}", found)
