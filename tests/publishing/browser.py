# SPDX-License-Identifier: Apache-2.0
"""Pages as people see them: Markdown made HTML, in a headless Chromium."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess

import markdown_it
import pytest

from tests.publishing.server import serving

_CHROMIUM = os.environ.get("HIE_CHROMIUM") or next(
  filter(
    None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
  ),
  None,
)
needs_chromium = pytest.mark.skipif(
  not _CHROMIUM,
  reason="There is no Chromium on PATH (apt-get install chromium), and "
  "HIE_CHROMIUM does not name one.",
)
_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
# What the browser makes of a page goes into its title, which we read.
_LOOK = """
addEventListener("load", () => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const copy = document.body.cloneNode(true);
  copy.querySelectorAll("pre, code, script").forEach((e) => e.remove());
  document.title = JSON.stringify({
    harmed: window.harmed || 0,
    tags: [...new Set(all("body *").map((e) => e.localName))],
    images: all("img").map((e) => [e.getAttribute("src"), e.naturalWidth]),
    links: all("a").map((e) => e.getAttribute("href")),
    cells: all("td").map((e) => e.textContent),
    prose: copy.textContent,
  });
});
"""
_STYLE = """
body { font: 16px sans-serif; max-width: 900px; margin: 2em auto }
td, th { border: 1px solid #ccc; padding: 4px 12px }
table { border-collapse: collapse } pre { background: #eee; padding: 1em }
"""


def as_html(page: str) -> str:
  """A page as a hub shows it that lets HTML in Markdown be HTML."""
  text = _FRONT_MATTER.sub("", page)
  renderer = markdown_it.MarkdownIt("gfm-like", {"html": True})
  return (
    f'<!doctype html><meta charset="utf-8"><script>{_LOOK}</script>'
    f"<style>{_STYLE}</style><body>{renderer.render(text)}</body>"
  )


def look(page: str, pictures: dict[str, bytes], *flags: str) -> dict:
  """What a reader's browser has of a page.

  Returns:
    `harmed`: whether a script ran; `tags`: names of all elements; `images`:
    sources and widths, 0 for those that do not show; `links`; `cells`: texts of
    the tables; `prose`: what stands outside of code.
  """
  dom = _dump("/page.html", {"/page.html": as_html(page).encode()}, pictures)
  return json.loads(html.unescape(re.search(r"<title>(.*?)</title>", dom)[1]))


def look_at_picture(picture: bytes) -> str:
  """A picture's elements once the browser has opened it as a page."""
  return _dump("/picture.svg", {}, {"picture.svg": picture})


def _dump(path: str, pages: dict, pictures: dict, *flags: str) -> str:
  files = {**pages, **{f"/{name}": data for name, data in pictures.items()}}
  with serving(files) as server:
    process = subprocess.run(
      [
        _CHROMIUM,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--virtual-time-budget=20000",
        "--dump-dom",
        *flags,
        server.url(path),
      ],
      capture_output=True,
      text=True,
      timeout=120,
    )
  assert process.returncode == 0, process.stderr[-2000:]
  return process.stdout
