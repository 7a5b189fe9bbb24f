# SPDX-License-Identifier: Apache-2.0
"""Pages in a real browser: what shows, and what must not."""

from __future__ import annotations

import dataclasses
import re

import pytest

from examples import make_pages
from hub_image_export.arguments import is_unicode, printable
from hub_image_export.publishing import (
  markdown,
  module_facts,
  module_page,
  network_picture,
)
from hub_image_export.publishing.details import PageDetails
from hub_image_export.publishing.forms import FORMATS
from tests.faults.hostile_texts import TEXTS
from tests.publishing import modules
from tests.publishing.browser import look, look_at_picture, needs_chromium

pytestmark = [needs_chromium, pytest.mark.slow]
_PAGES = sorted(path.name for path in make_pages.PAGES.glob("*.md"))
_TAGS = {
  *("h1", "h2", "p", "a", "ul", "li", "code", "pre", "img"),
  *("table", "thead", "tbody", "tr", "th", "td"),
}
# What only shows if Markdown or HTML was not understood, or escaped twice.
_MARKUP = re.compile(r"\*\*|\]\(|!\[|\||^#|\\|&\w+;|<\w|-->|```|^---", re.M)


@pytest.mark.parametrize("name", _PAGES)
def test_tables_and_pictures_show_and_no_markup_does(name):
  pictures = {p.name: p.read_bytes() for p in make_pages.PAGES.glob("*.svg")}
  page = (make_pages.PAGES / name).read_text("utf-8")
  seen = look(page, pictures)
  assert set(seen["tags"]) <= _TAGS
  assert len(seen["images"]) == 2
  assert all(width > 200 for _, width in seen["images"])
  assert "DigitsNet/conv1" in seen["cells"]
  assert not _MARKUP.search(seen["prose"])


@pytest.mark.parametrize("page_format", FORMATS)
def test_names_are_text_and_nothing_more(page_format, module):
  """Whoever wrote the module chose them."""
  pytest.importorskip("huggingface_hub")
  texts = [text.strip(" ") for text in TEXTS]
  paragraph = " ".join(filter(is_unicode, texts))
  facts = module_facts.read_module(module)
  (images, *_), stages = facts.stages, dict(facts.stages)
  for i, text in enumerate(texts):
    stage = dataclasses.replace(facts.stages[images], names=[text])
    stages[f"stage{i}:0"] = dataclasses.replace(stage, parents=[images])
  facts = dataclasses.replace(
    facts,
    labels=texts,
    shapes={**facts.shapes, **dict.fromkeys(texts, "[?]")},
    preprocessing=paragraph,
    tensorflow=texts[0],
    too_new=tuple(texts),
    stages=stages,
  )
  details = {
    **modules.DETAILS,
    "scores": "softmax",
    "description": paragraph,
  }
  page = module_page.make_page(facts, PageDetails.of(page_format, details))
  seen = look(page.text, page.pictures)
  assert seen["harmed"] == 0
  assert set(seen["tags"]) <= _TAGS
  assert [source for source, _ in seen["images"]] == ["network.svg"]
  assert seen["links"] == [
    "https://www.tensorflow.org/hub/common_signatures/images"
  ]
  for text in map(printable, texts[:100]):
    # In the tables of classes, of stages, and of outputs.
    assert seen["cells"].count(text) >= 3, text


def test_pictures_run_nothing_when_they_are_opened():
  stages = {
    "x:0": network_picture.Stage(["images"]),
    **{
      f"s{i}:0": network_picture.Stage([text], "[?]", 1, ["x:0"])
      for i, text in enumerate(TEXTS)
    },
  }
  dom = look_at_picture(network_picture.draw(stages))
  assert set(re.findall(r"<(\w+)", dom)) == {
    *("svg", "title", "rect", "path", "text")
  }


def test_the_browser_sees_what_is_wrong():
  """Else the tests above could not fail."""
  bad = "<b>x</b> <script>window.harmed=1</script> ![x](none.svg) \\*\\*"
  seen = look(bad, {})
  assert seen["harmed"] == 1
  assert {"b", "script"} <= set(seen["tags"])
  assert seen["images"] == [["none.svg", 0]]
  assert _MARKUP.search(seen["prose"])
  assert markdown.text("<b>") not in seen["prose"]
