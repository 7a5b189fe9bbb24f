# SPDX-License-Identifier: Apache-2.0
"""Rules that need the inference variant to run (C3 to C16)."""

from __future__ import annotations

import functools

import numpy as np

from hub_image_export import contract
from hub_image_export.checker.judged import JudgedSignature
from hub_image_export.checker.reading.output_rules import classifying_signatures
from hub_image_export.checker.report import Findings, Found
from hub_image_export.checker.running.pixel_range_rules import check_pixel_range
from hub_image_export.checker.running.probe_images import (
  KINDS,
  PAIR,
  ROUNDING,
  SAME,
  distance,
  many_images,
  two_images,
)
from hub_image_export.checker.running.running_variant import RunningVariant
from hub_image_export.checker.running.score_rules import (
  check_features,
  check_scores,
  other_pixels,
  under_other_weights,
)
from hub_image_export.tensorflow_api.compat import tf

_DEFAULT = f'output "{contract.DEFAULT_OUTPUT}"'


def check_behaviour(
  running: RunningVariant, size: tuple[int, int], known: Findings
) -> Found:
  """Asks the inference variant with as few images as will do: nine, mostly.

  They have the height and width of `size`. What is `known` is not told again.
  """
  pair = two_images(*size)
  fetches = running.outputs()
  both = running.run(fetches, pair)
  alone = running.run(fetches, pair[:1])
  again = running.run(fetches, pair[:1])
  many = many_images(*size)
  more = running.run(fetches, many)
  sound = []
  for name in fetches:
    signature = running.variant.signatures[name]
    place = signature.where(contract.DEFAULT_OUTPUT)
    rule, text = unsound(signature.width, both[name], more[name])
    if rule:
      yield rule, place, text
      continue
    sound.append(signature)
    yield from check_answers(
      both[name], alone[name], again[name], more[name], place
    )
  rows = {s.name: np.concatenate([both[s.name], more[s.name]]) for s in sound}
  for signature in classifying_signatures(running.variant):
    if signature in sound:
      scores = running.outputs()[signature.name]
      yield from check_scores(
        rows.pop(signature.name),
        signature.where(_DEFAULT),
        known.has("probabilities"),
        functools.partial(under_other_weights, running, signature, many),
        functools.partial(running.run, scores, other_pixels(many)),
      )
  for signature in sound:
    if signature.name in rows:
      place = signature.where(_DEFAULT)
      yield from check_features(rows[signature.name], place)
  if not known.has("default-differs"):
    yield from _check_default(sound, both)
  yield from _check_other_size(running, size, sound)
  if sound:
    answers = both[sound[0].name]
    yield from check_pixel_range(running, sound[0], pair, answers)


def unsound(
  expected: int | None, both: np.ndarray, more: np.ndarray
) -> tuple[str, str]:
  """The rule that is broken unless there is a row of numbers for each image.

  `more` are the answers to `many_images`.
  """
  if not np.all(np.isfinite(both)):
    return "not-finite", (
      "Got NaN or infinity for images in [0, 1]; expected finite numbers. "
      "Check the weights and the preprocessing."
    )
  for values, number, count in ((both, 2, "two"), (more, len(KINDS), "five")):
    got = f"Got an array of shape {list(values.shape)} for {count} images;"
    if values.shape[:1] != (number,):
      return "output-rank", f"{got} expected one row per image."
    if expected is not None and values.shape[1:] != (expected,):
      return "width-differs", f"{got} expected {expected} values per image."
  for kind, row in zip(KINDS, more):
    if not np.all(np.isfinite(row)):
      return "not-finite", (
        f"Got NaN or infinity for an image that is {kind}; expected finite "
        "numbers for all images in [0, 1]. Guard divisions and logarithms."
      )
  return "", ""


def check_answers(
  both: np.ndarray,
  alone: np.ndarray,
  again: np.ndarray,
  more: np.ndarray,
  place: str,
) -> Found:
  """The answers to two images, twice to the first alone, and to many."""
  apart = distance(alone, again)
  if apart > SAME:
    text = (
      f"Got answers {apart:.1e} apart (relative) to the same image; expected "
      "the same. Keep randomness and state out of the inference variant."
    )
    yield "not-deterministic", place, text
  elif (apart := distance(both[:1], alone)) > SAME:
    text = (
      f"Got answers {apart:.1e} apart (relative) to an image alone and beside "
      "another; expected the same. Use moving averages in the inference "
      "variant."
    )
    yield "batch-dependent", place, text
  elif (apart := distance(more[PAIR], both)) > SAME:
    text = (
      f"Got answers {apart:.1e} apart (relative) to images in a batch of two "
      f"and in one of {len(more)}; expected the same. Let no row depend on "
      "others."
    )
    yield "batch-dependent", place, text
  if distance(both[0], both[1]) <= ROUNDING:
    text = (
      "Got one answer to two very different images; expected that the output "
      "depends on `images`. Check what the signature's output is."
    )
    yield "input-ignored", place, text


def _check_default(
  sound: list[JudgedSignature], values: dict[str, np.ndarray]
) -> Found:
  """C9, by values."""
  signatures = {signature.name: signature for signature in sound}
  default = signatures.get(contract.DEFAULT_SIGNATURE)
  tasks = [task for task in contract.TASKS if task in signatures]
  if default is None or not tasks:
    return
  ours = values[default.name]
  if all(distance(ours, values[task]) > SAME for task in tasks):
    text = (
      f"Got other values than those of {tasks}; expected those of one of them. "
      "Serve the primary task as `default`."
    )
    yield "default-differs", default.where(), text


def _check_other_size(
  running: RunningVariant,
  size: tuple[int, int],
  signatures: list[JudgedSignature],
) -> Found:
  """C15: who leaves height and width unknown accepts others."""
  sizes = [s.image_size for s in running.variant.image_signatures]
  if not signatures or any(size != (None, None) for size in sizes):
    return
  height, width = size[0] + size[0] // 4 + 1, size[1] + size[1] // 2 + 1
  outputs = running.outputs()
  fetches = {s.name: outputs[s.name] for s in signatures}
  try:
    values = running.run(fetches, two_images(height, width)[:1])
  except tf.errors.OpError as error:
    text = (
      f"Images of {height} x {width} fail ({error.message[:200]}); expected "
      "any size, as height and width are unknown. Fix them."
    )
    place = running.variant.where(contract.IMAGES)
    yield "size-dependent", place, text
    return
  for signature in signatures:
    found, expected = values[signature.name], signature.width
    if found.shape != (1, expected) or not np.all(np.isfinite(found)):
      text = (
        f"Got an array of shape {list(found.shape)} for an image of {height} x "
        f"{width}; expected [1, {expected}], finite, as for any size. Pool "
        "over height and width, or fix them."
      )
      place = signature.where(contract.DEFAULT_OUTPUT)
      yield "size-dependent", place, text
