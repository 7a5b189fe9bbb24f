# SPDX-License-Identifier: Apache-2.0
"""`range-suspicious`: does the module really want pixels in [0, 1]? (C12)"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hub_image_export import contract
from hub_image_export.checker.report import Found
from hub_image_export.checker.running import probe_images
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.untrusted.graph import Graph

# What is done to pixels before the first layer.
PIXEL_OPS = frozenset(
  {
    "Add", "AddV2", "Sub", "Mul", "RealDiv", "Div", "DivNoNan", "BiasAdd",
    "Cast", "Identity", "Neg", "Reciprocal",
  }
)  # fmt: skip
Ask = Callable[[np.ndarray], np.ndarray]
# An answer "barely changes" over one range, if it changes this many times
# more over another: 255 is the factor between the usual ranges.
_BARELY = 30
# Smaller than what any network wants to see of the difference of black and
# white, and larger than the 1/255 of one that is divided by 255 twice.
_FLAT = 0.05


def check_pixel_range(
  scale: Ask | None,
  ask: Ask,
  pair: np.ndarray,
  answers: np.ndarray,
  place: str,
) -> Found:
  """Looks at the first ops, then at how answers change with the range.

  Args:
    scale: what the first ops make of images, where it is known.
    ask: gives the answers of inference to images.
    pair: two images in [0, 1], `[2, height, width, 3]`.
    answers: those to them.
    place: that of the images.
  """
  text = _suspicious_ops(scale, pair) if scale else None
  if text is None:
    text = _suspicious_answers(ask, pair, answers)
  if text:
    text += "; expected pixels in [0, 1]. Scale them inside the module."
    yield "range-suspicious", place, text


def _suspicious_ops(scale: Ask, pair: np.ndarray) -> str | None:
  """What black and white become before the first layer."""
  black_and_white = np.zeros_like(pair)
  black_and_white[1] = contract.PIXEL_MAX
  try:
    values = scale(black_and_white)
  except (KeyError, ValueError, tf.errors.OpError):
    return None
  if np.shape(values) != pair.shape:
    return None
  black, white = values.mean(axis=(1, 2), dtype=np.float64)
  span = np.abs(white - black)
  if np.any(span == 0):
    return None
  # The pixel value that is mapped to zero, which any sensible scaling has
  # among the pixels or near them.
  zero = -black / (white - black)
  mapped = f"[{black.min():.4g}, {white.max():.4g}]"
  if np.all(span < _FLAT):
    return (
      f"The first ops map [0, 1] to {mapped}, as if pixels were in [0, 255]"
    )
  if np.any(zero < -0.5) or np.any(zero > 1.5):
    return (
      f"The first ops map [0, 1] to {mapped}, whose zero is the pixel value "
      f"{zero[np.argmax(np.abs(zero))]:.4g}, as if the range were another"
    )
  return None


def scaled_pixels(
  readers: dict[str, list[str]], graph: Graph, images: str
) -> str:
  """The last node on the way of `images` through arithmetic.

  Follows one way only: it ends where something is read twice. `readers` are
  those that outputs depend on.
  """
  current = images
  while len(readers.get(current, ())) == 1:
    following = readers[current][0]
    if graph.op(following) not in PIXEL_OPS:
      break
    current = following
  return current


def _suspicious_answers(
  ask: Ask, pair: np.ndarray, answers: np.ndarray
) -> str | None:
  change = probe_images.distance(answers[0], answers[1])
  # Relative changes are at most 2: nothing can be that much larger.
  if change > 2 / _BARELY or change <= probe_images.ROUNDING:
    return None
  others = np.concatenate([255 * pair, 2 * pair - 1])
  values = ask(others)
  for pixels, rows in (("[0, 255]", values[:2]), ("[-1, 1]", values[2:])):
    if not np.all(np.isfinite(rows)):
      continue
    larger = probe_images.distance(rows[0], rows[1])
    if larger > _BARELY * change:
      return (
        f"The answers change by {change:.1e} (relative) over [0, 1] and by "
        f"{larger:.1e} over {pixels}"
      )
  return None
