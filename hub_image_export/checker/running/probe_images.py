# SPDX-License-Identifier: Apache-2.0
"""Images to try a module with, and how far answers are apart."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from hub_image_export.tensorflow_api import known_ops
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import NodeDef

# What float32 networks of hundreds of layers lose between two ways to compute
# the same (another batch size takes another algorithm), relative to the
# largest answer.
SAME = 1e-3
# And what those of half precision lose.
_SAME_OF_HALF = {tf.float16: 0.02, tf.bfloat16: 0.1}
# Below this, two answers differ by rounding alone.
ROUNDING = 1e-7

# Above and below what averages of a network are.
FAR_VALUES = (1000.0, -1000.0)

MAX_PIXELS = 4096 * 4096  # Larger images are not tried.


def two_images(height: int, width: int) -> np.ndarray:
  """Two images that have little in common, in [0, 1].

  The first is a dark red ramp; the second bright and blue, with noise.

  Returns:
    float32 `[2, height, width, 3]`.
  """
  random = np.random.RandomState(0)
  ramp = np.linspace(0.0, 0.6, height * width).reshape(height, width, 1)
  first = ramp * np.array([1.0, 0.2, 0.1]) + 0.05 * random.rand(
    height, width, 1
  )
  second = 0.3 + 0.7 * random.rand(height, width, 3)
  second *= np.array([0.5, 0.8, 1.0])
  return np.stack([first, second]).astype(np.float32)


# What `many_images` gives, and which of them are the two.
KINDS = ("all black", "dark", "all white", "bright", "of one colour")
PAIR = slice(1, 4, 2)


def many_images(height: int, width: int) -> np.ndarray:
  """The two images among flat ones, as `KINDS` says; `[5, height, width, 3]`.

  The neighbours of each of the two are others than in a batch of two.
  """
  first, second = two_images(height, width)
  black, white = np.zeros_like(first), np.ones_like(first)
  colour = white * np.array([0.8, 0.4, 0.1], np.float32)
  return np.stack([black, first, white, second, colour])


def other_size(
  size: tuple[int, int], known: Iterable[tuple[int | None, int | None] | None]
) -> tuple[int, int] | None:
  """A larger one, in what all of the `known` heights and widths leave open.

  None where they leave nothing open.
  """
  heights_and_widths = [pair or (0, 0) for pair in known]
  is_open = [
    all(pair[side] is None for pair in heights_and_widths) for side in (0, 1)
  ]
  if not heights_and_widths or not any(is_open):
    return None
  height = size[0] + size[0] // 4 + 1 if is_open[0] else size[0]
  width = size[1] + size[1] // 2 + 1 if is_open[1] else size[1]
  return height, width


def same_for(nodes: Iterable[NodeDef]) -> float:
  """How far two answers of a network may be apart that are the same."""
  types = known_ops.computed_in(nodes)
  return max([SAME, *(_SAME_OF_HALF.get(t, SAME) for t in types)])


def distance(first: np.ndarray, second: np.ndarray) -> float:
  """The largest difference, relative to the largest absolute value.

  A network with random weights may answer 1e-10 to everything, and its
  answers are to be told apart as well as any.
  """
  first = np.asarray(first, np.float64)
  second = np.asarray(second, np.float64)
  if first.shape != second.shape:
    return float("inf")
  if not first.size:
    return 0.0
  scale = max(np.max(np.abs(first)), np.max(np.abs(second)))
  return float(np.max(np.abs(first - second)) / scale) if scale else 0.0
