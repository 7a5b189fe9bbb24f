# SPDX-License-Identifier: Apache-2.0
"""What a page shows of a photo: what the module says of it, and no more."""

from __future__ import annotations

import base64
import dataclasses
import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest

import hub_image_export as hie
from hub_image_export.arguments import printable
from hub_image_export.publishing import example, module_facts
from hub_image_export.publishing.details import PageDetails
from tests.faults.hostile_texts import TEXTS
from tests.publishing import modules

pytest.importorskip("matplotlib")
Image = pytest.importorskip("PIL.Image")
_SVG = "{http://www.w3.org/2000/svg}"
_HREF = "{http://www.w3.org/1999/xlink}href"


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
  """A photo of another size than the module's, dark at the top."""
  path = tmp_path_factory.mktemp("photos") / "photo.png"
  pixels = np.zeros([36, 48, 3], np.uint8)
  pixels[18:] = np.random.RandomState(1).randint(128, 256, [18, 48, 3])
  Image.fromarray(pixels).save(path)
  return path


@pytest.fixture(scope="module")
def facts(module):
  return module_facts.read_module(module)


def _make(module, photo, facts, **details):
  given = PageDetails(**{**modules.DETAILS, **details})
  return example.make_example(str(module), str(photo), facts, given)


def _texts(picture):
  return [e.text for e in ElementTree.fromstring(picture).iter(f"{_SVG}text")]


def _images(picture):
  """The pixels of the images in a picture."""
  found = []
  for element in ElementTree.fromstring(picture).iter(f"{_SVG}image"):
    kind, data = element.get(_HREF).split(",", 1)
    assert kind == "data:image/png;base64"
    image = Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")
    # The file has them upside down, and turns them.
    turned = "scale(1 -1)" in element.get("transform", "")
    found.append(np.asarray(image)[:: -1 if turned else 1])
  return found


@pytest.mark.parametrize(
  ("scores", "unit"),
  [
    ("softmax", "probability"),
    ("sigmoid", "probability"),
    ("other", "logit"),
  ],
)
def test_classes_and_scores_are_those_of_the_module(
  scores, unit, module, photo, facts
):
  made = _make(module, photo, facts, scores=scores)
  with hie.open_module(module) as opened:
    (logits,) = opened([str(photo)], signature="image_classification")
  expected = {
    "softmax": np.exp(logits) / np.exp(logits).sum(),
    "sigmoid": 1 / (1 + np.exp(-logits)),
    "other": logits,
  }[scores]
  order = np.argsort(-logits)
  assert [name for name, _ in made.scores] == [modules.LABELS[i] for i in order]
  np.testing.assert_allclose(
    [score for _, score in made.scores], expected[order], 1e-5, 1e-6
  )
  assert made.unit == unit
  text = "".join(_texts(made.picture))
  assert all(f"{score:.3f}" in text for _, score in made.scores)


def test_the_photo_is_shown_as_it_is(module, photo, facts):
  made = _make(module, photo, facts, scores="softmax")
  (shown,) = _images(made.picture)
  height, width = shown.shape[:2]
  assert width / height == pytest.approx(48 / 36, rel=0.05)
  assert shown[: height // 3].max() < 64, "It is dark at the top."
  assert shown[-height // 3 :].min() > 64


def test_features_are_shown_as_a_heat_map(photo, tmp_path):
  """A convolution of positive weights answers where the photo is bright."""
  from hub_image_export.tensorflow_api.compat import tf

  def network(images):
    x = tf.nn.avg_pool2d(images, 4, 4, "SAME")
    return {"default": tf.reduce_mean(x, [1, 2]), "Net/pool": x}

  hie.make_feature_vector_module(network, 24, 32).export(tmp_path / "m")
  facts = module_facts.read_module(tmp_path / "m")
  made = _make(tmp_path / "m", photo, facts)
  assert "Net/pool (6x8x3)" in made.caption
  assert not made.scores
  *_, heat = _images(made.picture)
  third = len(heat) // 3
  assert heat[:third, :, 1].mean() + 64 < heat[-third:, :, 1].mean()


def test_a_module_with_nothing_to_show_is_refused(photo, tmp_path):
  from hub_image_export.tensorflow_api.compat import tf

  hie.make_feature_vector_module(
    lambda images: tf.reduce_mean(images, [1, 2]), 12, 10
  ).export(tmp_path / "m")
  with pytest.raises(ValueError, match="export it with endpoints, or"):
    hie.write_module_page(
      tmp_path / "m", tmp_path / "1.md", example=photo, **modules.DETAILS
    )
  assert sorted(p.name for p in tmp_path.iterdir()) == ["m"]


@pytest.mark.parametrize(
  ("content", "message"),
  [(b"no image", "no image"), (None, "No such file")],
)
def test_what_is_no_photo_is_refused_by_name(
  content, message, module, tmp_path
):
  path = tmp_path / "photo.jpg"
  if content is not None:
    path.write_bytes(content)
  with pytest.raises(ValueError, match=message) as error:
    hie.write_module_page(
      module,
      tmp_path / "1.md",
      example=path,
      scores="softmax",
      **modules.DETAILS,
    )
  assert str(path)[:60] in str(error.value)
  assert not (tmp_path / "1.md").exists()


def test_labels_are_text_and_nothing_more(module, photo, facts):
  """Neither elements nor TeX."""
  tags = set()
  for i in range(0, len(TEXTS) - 2, 9):
    labels = TEXTS[i : i + 3]
    made = _make(
      module,
      photo,
      dataclasses.replace(facts, labels=labels),
      scores="softmax",
    )
    for label in labels:
      start = printable(label)[:40]
      assert any(t.startswith(start) for t in _texts(made.picture))
    tags |= {e.tag for e in ElementTree.fromstring(made.picture).iter()}
  assert not tags & {f"{_SVG}script", f"{_SVG}a", f"{_SVG}foreignObject"}


def test_the_same_photo_gives_the_same_picture(module, photo, facts):
  first, second = (_make(module, photo, facts, scores="other") for _ in "ab")
  assert first.picture == second.picture
  assert not re.search(rb"\d{4}-\d\d-\d\d|<dc:date>", first.picture)
