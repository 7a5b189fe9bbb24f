# SPDX-License-Identifier: Apache-2.0
"""A picture of a network, as SVG: its stages, and how they hang together.

What goes on longest stands in one column, from the images down; what branches
off stands to the right, below the stage that it comes from.
"""

from __future__ import annotations

import unicodedata
from xml.etree import ElementTree

from hub_image_export.publishing.network_stages import Stage

# Pixels.
_MARGIN, _GAP, _INDENT = 16, 28, 36
_LINE, _PADDING, _CHARACTER = 18, 10, 8
_MOST_CHARACTERS = 72
_FILLS = {"images": "#e3f1e3", "output": "#e3ecfa", "stage": "#f2f2f2"}
_FONT = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"
_INK = "#333333"


def draw(stages: dict[str, Stage]) -> bytes:
  """Draws a network.

  Args:
    stages: as `find_stages` gives them.

  Returns:
    An SVG file. All that comes from the module is text in it.
  """
  rows = _rows(stages)
  texts = {key: _lines(key, stages) for key, _ in rows}
  box_width = 2 * _PADDING + _CHARACTER * max(
    _width(line) for lines in texts.values() for line in lines
  )
  columns = max(column for _, column in rows)
  tops, bottom = {}, _MARGIN
  for key, _ in rows:
    tops[key] = bottom
    bottom += _height(texts[key]) + _GAP
  picture = _picture(
    2 * _MARGIN + columns * _INDENT + box_width, bottom - _GAP + _MARGIN
  )
  lefts = {key: _MARGIN + column * _INDENT for key, column in rows}
  for key, _ in rows:
    for parent in stages[key].parents[-1:]:
      start = lefts[parent], tops[parent] + _height(texts[parent])
      _arrow(picture, start, (lefts[key], tops[key]))
  for key, _ in rows:
    _box(picture, stages[key], (lefts[key], tops[key]), box_width, texts[key])
  return ElementTree.tostring(picture, "utf-8", xml_declaration=True)


def _rows(stages: dict[str, Stage]) -> list[tuple[str, int]]:
  """The stages from the top to the bottom, each with its column."""
  children = _children(stages)
  roots = [key for key, stage in stages.items() if not stage.parents]
  pending = [(key, 0) for key in reversed(roots)]
  rows = []
  while pending:
    key, column = pending.pop()
    rows.append((key, column))
    below = children[key]
    pending += [(last, column) for last in below[-1:]]
    pending += [(branch, column + 1) for branch in reversed(below[:-1])]
  return rows


def _children(stages: dict[str, Stage]) -> dict[str, list[str]]:
  """Each stage below the deepest of its parents; what goes on longest last."""
  children: dict[str, list[str]] = {key: [] for key in stages}
  reach = {key: stage.depth for key, stage in stages.items()}
  for key, stage in reversed(stages.items()):
    for parent in stage.parents[-1:]:
      children[parent].append(key)
      reach[parent] = max(reach[parent], reach[key])
  order = {key: i for i, key in enumerate(stages)}
  for keys in children.values():
    keys.sort(key=lambda key: (reach[key], order[key]))
  return children


def _lines(key: str, stages: dict[str, Stage]) -> list[str]:
  stage = stages[key]
  lines = [stage.title, stage.shape]
  if not stage.parents:
    return [_cut(line) for line in [*lines, "RGB in [0, 1]"]]
  layers = "layer" if stage.layers == 1 else "layers"
  lines.append(f"{stage.layers} {layers}, {stage.parameters:,} parameters")
  others = [stages[other].title for other in stage.parents[:-1]]
  if others:
    lines.append(f"also from {', '.join(others)}")
  return [_cut(line) for line in lines]


def _cut(line: str) -> str:
  return line if len(line) <= _MOST_CHARACTERS else line[:71] + "…"


def _width(line: str) -> int:
  """In characters of a font in which all are equally wide."""
  return sum(1 + (unicodedata.east_asian_width(c) in "WF") for c in line)


def _height(lines: list[str]) -> int:
  return 2 * _PADDING + _LINE * len(lines)


def _picture(width: int, height: int) -> ElementTree.Element:
  picture = ElementTree.Element(
    "svg",
    {
      "xmlns": "http://www.w3.org/2000/svg",
      "viewBox": f"0 0 {width} {height}",
      "width": str(width),
      "height": str(height),
      "font-family": _FONT,
      "font-size": "13",
      "role": "img",
    },
  )
  title = ElementTree.SubElement(picture, "title")
  title.text = "The stages of the network, from the images to the outputs"
  ElementTree.SubElement(
    picture,
    "rect",
    {"width": str(width), "height": str(height), "fill": "white"},
  )
  return picture


def _arrow(
  picture: ElementTree.Element, start: tuple[int, int], box: tuple[int, int]
) -> None:
  """Down to the box in the same column, or down and right to its left side."""
  x, y = start[0] + _INDENT // 2, start[1]
  if box[0] == start[0]:
    tip = box[1]
    line = f"M{x} {y}V{tip - 6}"
    head = f"M{x} {tip}l-4 -8h8z"
  else:
    middle = box[1] + _PADDING + _LINE // 2
    line = f"M{x} {y}V{middle}H{box[0] - 6}"
    head = f"M{box[0]} {middle}l-8 -4v8z"
  ElementTree.SubElement(
    picture, "path", {"d": line, "stroke": _INK, "fill": "none"}
  )
  ElementTree.SubElement(picture, "path", {"d": head, "fill": _INK})


def _box(
  picture: ElementTree.Element,
  stage: Stage,
  corner: tuple[int, int],
  width: int,
  lines: list[str],
) -> None:
  kind = "output" if stage.names else "stage"
  ElementTree.SubElement(
    picture,
    "rect",
    {
      "x": str(corner[0]),
      "y": str(corner[1]),
      "width": str(width),
      "height": str(_height(lines)),
      "rx": "6",
      "fill": _FILLS[kind if stage.parents else "images"],
      "stroke": _INK,
    },
  )
  for i, line in enumerate(lines):
    text = ElementTree.SubElement(
      picture,
      "text",
      {
        "x": str(corner[0] + _PADDING),
        "y": str(corner[1] + _PADDING + _LINE * i + 13),
        "fill": _INK,
        "font-weight": "bold" if i == 0 else "normal",
      },
    )
    text.text = line
