# SPDX-License-Identifier: Apache-2.0
"""What a module makes of one photo, as a picture for its page.

For classifiers, the photo and its best classes; for others, the photo under a
heat map of the deepest endpoint that still has the layout of an image.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from hub_image_export import arguments, contract
from hub_image_export.arguments import called, printable
from hub_image_export.publishing import extra
from hub_image_export.publishing.details import PageDetails
from hub_image_export.publishing.module_facts import ModuleFacts
from hub_image_export.serving import pixels
from hub_image_export.serving.answers import Answers
from hub_image_export.serving.opening import open_module

_BEST = 5
# Pixels of the longer side, as pages show it.
_SIDE = 480
_MOST_CHARACTERS = 48
# The same bytes each time; names are text, never TeX.
_STYLE = {
  "svg.fonttype": "none",
  "svg.hashsalt": "hub_image_export",
  "text.parse_math": False,
  "text.usetex": False,
}
_METADATA = {"Creator": None, "Date": None}


@dataclasses.dataclass(frozen=True)
class Example:
  """A photo, and what the module makes of it.

  Attributes:
    caption: what the picture shows, as text.
    picture: an SVG file.
    unit: of the scores.
    scores: of the best classes, by their names, best first; for classifiers.
  """

  caption: str
  picture: bytes
  unit: str = ""
  scores: list[tuple[str, float]] = dataclasses.field(default_factory=list)


def check_photo(photo: str | os.PathLike[str]) -> np.ndarray:
  """The pixels of a photo, `[height, width, 3]`, upright.

  Raises:
    TypeError, ValueError: it is no path of an image that can be read.
    ImportError: the extra that reads and draws is not installed.
  """
  photo = arguments.check_local_path("example", photo, "a photo")
  extra.need("matplotlib", "pictures")
  try:
    return pixels.of(photo)
  except ValueError as error:
    raise ValueError(f"example is {arguments.shown(photo)}: {error}") from error


def make_example(
  module: str,
  photo: str | os.PathLike[str],
  facts: ModuleFacts,
  details: PageDetails,
) -> Example:
  """Shows a module a photo.

  Args:
    module: its directory.
    photo: path of an image file, in any format that Pillow reads.
    facts, details: of the module; they say what its scores mean.

  Raises:
    ValueError: the photo cannot be read, or the module has neither classes
      nor an endpoint to show.
  """
  image = check_photo(photo)
  output = contract.DEFAULT_OUTPUT
  if not facts.is_classifier:
    output = spatial_endpoint(facts)
  with open_module(module) as opened:
    task = facts.default_task
    if facts.is_classifier:
      task = contract.IMAGE_CLASSIFICATION
    (values,) = opened([image], signature=task, output=output)
  if facts.is_classifier:
    return _classes(image, values, facts, details.scores or facts.activation)
  return _heat_map(image, values, output)


def spatial_endpoint(facts: ModuleFacts) -> str:
  """The deepest output with the layout of an image.

  Raises:
    ValueError: there is none.
  """
  outputs = [
    (stage.depth, name)
    for stage in facts.stages.values()
    for name in stage.names
    if name in facts.shapes and stage.shape.count(",") == 3
  ]
  check_endpoints([4 for _ in outputs])
  return max(outputs)[1]


def check_endpoints(ranks: list[int]) -> None:
  """Whether there is an output to show where nothing is classified.

  Args:
    ranks: of the outputs.

  Raises:
    ValueError: none has the layout of an image.
  """
  if 4 not in ranks:
    raise ValueError(
      "example is given, but the module has neither classes nor an endpoint "
      f"with the layout of an image: export it with {called('endpoints')}, or "
      "leave example out"
    )


def _classes(
  image: np.ndarray,
  logits: np.ndarray,
  facts: ModuleFacts,
  kind: str | None,
) -> Example:
  activation = kind if kind in ("softmax", "sigmoid") else None
  unit = "probability" if activation else "logit"
  answers = Answers(True, facts.labels, activation)
  best = answers.top(logits, _BEST)
  found = [(answers.name_of(scored), scored.score) for scored in best]
  low = min(0.0, found[-1][1])
  high = 1.0 if unit == "probability" else max(found[0][1], low + 1e-6)
  with _drawing(image) as (figure, left, right):
    left.imshow(_small(image))
    for row, (name, score) in enumerate(found):
      right.barh(row, score - low, 0.25, left=low, color="#4a78c0")
      text = f"{_cut(printable(name))}  {score:.3f}"
      right.text(low, row - 0.22, text, fontsize=11, color="#333333")
    right.set_xlim(low, high)
    right.set_ylim(len(found) - 0.5, -0.75)
    picture = _saved(figure)
  caption = f"The best {len(found)} classes for a photo, by their {unit}."
  return Example(caption, picture, unit, found)


def _heat_map(image: np.ndarray, values: np.ndarray, output: str) -> Example:
  small = _small(image)
  height, width = small.shape[:2]
  with _drawing(image) as (figure, left, right):
    left.imshow(small)
    right.imshow(small)
    right.imshow(
      np.abs(values).mean(-1),
      extent=(-0.5, width - 0.5, height - 0.5, -0.5),
      interpolation="bilinear",
      alpha=0.65,
      cmap="viridis",
    )
    picture = _saved(figure)
  shape = "x".join(map(str, values.shape))
  caption = (
    f"A photo, and where {output} ({shape}) answers it: the mean of its "
    "channels' absolute values, from dark to bright."
  )
  return Example(caption, picture)


def _small(image: np.ndarray) -> np.ndarray:
  """The photo in at most `_SIDE` pixels a side, uint8."""
  from PIL import Image

  if image.dtype != np.uint8:
    image = np.uint8(np.round(image * 255))
  small = Image.fromarray(image)
  small.thumbnail((_SIDE, _SIDE))
  return np.asarray(small)


@contextlib.contextmanager
def _drawing(image: np.ndarray) -> Iterator[tuple[Any, Any, Any]]:
  """A figure with two places side by side, without axes, in our style."""
  from matplotlib import style
  from matplotlib.figure import Figure

  height, width = image.shape[:2]
  with style.context(["default", _STYLE]), warnings.catch_warnings():
    # The browser has glyphs that the font here lacks.
    warnings.simplefilter("ignore")
    figure = Figure(figsize=(8, float(np.clip(4 * height / width, 2.5, 6))))
    left, right = figure.subplots(1, 2)
    figure.subplots_adjust(0.01, 0.02, 0.99, 0.98, wspace=0.05)
    for place in (left, right):
      place.set_axis_off()
    yield figure, left, right


def _saved(figure: Any) -> bytes:
  file = io.BytesIO()
  figure.savefig(file, format="svg", metadata=_METADATA)
  return file.getvalue()


def _cut(name: str) -> str:
  if len(name) <= _MOST_CHARACTERS:
    return name
  return name[: _MOST_CHARACTERS - 1] + "…"
