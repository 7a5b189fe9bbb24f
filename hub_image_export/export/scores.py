# SPDX-License-Identifier: Apache-2.0
"""Are a classifier's scores logits? Seen at what it gives for images (C7)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from absl import logging

from hub_image_export import contract
from hub_image_export.export import reference
from hub_image_export.export.interface import Interface
from hub_image_export.graph import probabilities
from hub_image_export.tracing.image_function import ImageFunction

_BATCH = 4  # Large networks have large activations.
# Images of more pixels would take gigabytes, and minutes, to look at.
_MOST_PIXELS = 2**24
_SAME = 1e-3  # Of sums of half precision, too.


def warn_of_probabilities(
  function: ImageFunction, interface: Interface
) -> None:
  """Warns if a classifier gives what only probabilities are like.

  An activation that could be taken off is gone; others hide in averages,
  products, clips and percents. Networks that end in a dense layer are not run.
  """
  task, inference = contract.IMAGE_CLASSIFICATION, function.inference
  if task not in inference.tasks or inference.activations:
    return
  output = inference.tasks[task]
  origin = probabilities.origin(inference.graph_def, output)
  if not origin.activations and probabilities.is_linear(
    inference.graph_def, output
  ):
    return
  size = interface.height, interface.width
  if size[0] * size[1] > _MOST_PIXELS:
    logging.info("Images are too large to see here whether scores are logits")
    return
  scores = np.concatenate(
    [
      reference.run(function.reference, batch, interface)["tasks"][task].numpy()
      for batch in batches(*size)
    ]
  )
  observed = _like_probabilities(scores, origin.alone)
  if observed:
    source = f" They come from {origin}." if origin.activations else ""
    logging.warning(
      "The scores of %d images of many kinds %s, as probabilities do.%s A "
      "classifier's scores are linear, logits (C7): return what goes into the "
      "last activation (for a Keras layer activation=None). Average the logits "
      "of an ensemble, multiply none, and leave clips and percents out",
      len(scores),
      observed,
      source,
    )


def _like_probabilities(scores: np.ndarray, are_made_of_them: bool) -> str:
  """What is to be seen of probabilities, or of a multiple of them; or ''."""
  if not np.all(scores >= 0):
    return ""
  sums = scores.sum(axis=1)
  largest = scores.max()
  same_sum = scores.shape[1] > 1 and np.ptp(sums) <= _SAME * sums[0]
  adding_up = f" and add up to {sums[0]:.4g} for each" if same_sum else ""
  if largest <= 1 or (same_sum and sums[0] > 0):
    return f"all lie in [0, {max(1.0, largest):.4g}]{adding_up}"
  return f"all lie in [0, {largest:.4g}]" if are_made_of_them else ""


def batches(height: int, width: int) -> Iterator[np.ndarray]:
  """16 images in [0, 1]: colours, ramps, waves, blocks and noise."""
  images = list(_images(height, width))
  for i in range(0, len(images), _BATCH):
    yield np.stack(images[i : i + _BATCH]).astype(np.float32)


def _images(height: int, width: int) -> Iterator[np.ndarray]:
  shape = height, width, contract.NUM_CHANNELS
  random = np.random.RandomState(0)
  y, x = np.linspace(0, 1, height)[:, None], np.linspace(0, 1, width)[None]
  for colour in ([0], [0.5], [1], [1, 0, 0], [0, 1, 0], [0, 0, 1]):
    yield np.broadcast_to(np.array(colour), shape)
  for ramp in (x + 0 * y, 1 - y + 0 * x, x * y):
    yield np.broadcast_to(ramp[:, :, None], shape)
  for waves in (1, 4, 16):
    angles = 2 * np.pi * waves * (x + y)[:, :, None] + np.arange(3)
    yield (1 + np.sin(angles)) / 2
  blocks = random.uniform(size=(-(-height // 8), -(-width // 8), 3))
  blocks = blocks.repeat(8, axis=0).repeat(8, axis=1)[:height, :width]
  yield blocks
  yield (blocks + random.uniform(size=shape)) / 2
  yield random.uniform(size=shape)
  yield np.clip(random.normal(0.5, 0.1, shape), 0, 1)
