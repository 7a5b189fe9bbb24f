# SPDX-License-Identifier: Apache-2.0
"""The picture of a network: boxes that stand where they should, and text."""

from __future__ import annotations

from xml.etree import ElementTree

from hub_image_export.arguments import printable
from hub_image_export.publishing.network_picture import draw
from hub_image_export.publishing.network_stages import Stage
from tests.faults.hostile_texts import TEXTS
from tests.publishing.networks import conv, stages_of

_SVG = "{http://www.w3.org/2000/svg}"


def _boxes(stages):
  """From the first line of each box to its corner and size."""
  picture = ElementTree.fromstring(draw(stages))
  rects = picture.findall(f"{_SVG}rect")[1:]  # After the background.
  titles = [
    text.text
    for text in picture.findall(f"{_SVG}text")
    if text.get("font-weight") == "bold"
  ]
  sizes = [
    tuple(int(rect.get(key)) for key in ("x", "y", "width", "height"))
    for rect in rects
  ]
  assert len(titles) == len(sizes)
  return dict(zip(titles, sizes))


def _texts(picture):
  return [e.text for e in ElementTree.fromstring(picture).iter(f"{_SVG}text")]


def _network(images):
  first = conv(images)
  return {"main": conv(conv(first)), "side": conv(first), "a": first}


def test_the_main_way_goes_down_and_what_ends_first_stands_aside():
  boxes = _boxes(stages_of(_network))
  assert list(boxes) == ["images", "a", "side", "main"]
  lefts = {title: box[0] for title, box in boxes.items()}
  assert lefts["images"] == lefts["a"] == lefts["main"] < lefts["side"]


def test_no_box_covers_another_and_all_are_in_the_picture():
  stages = stages_of(_network)
  boxes = list(_boxes(stages).values())
  for (_, y, _, height), (_, lower, _, _) in zip(boxes, boxes[1:]):
    assert y + height < lower
  picture = ElementTree.fromstring(draw(stages))
  for x, y, width, height in boxes:
    assert x + width < int(picture.get("width"))
    assert y + height < int(picture.get("height"))


def test_boxes_say_what_is_in_a_stage():
  texts = _texts(draw(stages_of(_network)))
  assert texts[:3] == ["images", "[?, 8, 8, 3]", "RGB in [0, 1]"]
  assert "2 layers, 0 parameters" in texts
  assert "1 layer, 0 parameters" in texts


def test_a_join_names_its_other_source():
  def network(images):
    first = conv(images)
    return {"a": first, "b": conv(images) + first, "side": conv(conv(images))}

  def joined(images):
    found = network(images)
    return {**found, "join": found["side"] + found["b"]}

  assert "also from b" in _texts(draw(stages_of(joined)))


def test_names_are_text_and_nothing_more():
  named = {f"{i}:0": Stage([t], "", 1, ["x:0"]) for i, t in enumerate(TEXTS)}
  picture = draw({"x:0": Stage(["images"]), **named})
  kinds = {e.tag for e in ElementTree.fromstring(picture).iter()}
  assert kinds == {
    f"{_SVG}{tag}" for tag in ("svg", "title", "rect", "path", "text")
  }
  starts = [(text or "")[:71] for text in _texts(picture)]
  assert {printable(text)[:71] for text in TEXTS} <= set(starts)


def test_long_names_are_cut():
  stages = {
    "x:0": Stage(["images"], "[?]"),
    "y:0": Stage(["n" * 999], "[?]", 0, ["x:0"]),
  }
  assert max(map(len, _texts(draw(stages)))) == 72


def test_the_same_network_gives_the_same_picture():
  assert draw(stages_of(_network)) == draw(stages_of(_network))
