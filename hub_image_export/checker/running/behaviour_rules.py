# SPDX-License-Identifier: Apache-2.0
"""Rules that need the inference variant to run (C3 to C16)."""

from __future__ import annotations

import functools

import numpy as np

from hub_image_export import contract
from hub_image_export.checker.reading.output_rules import classifying_signatures
from hub_image_export.checker.report import Findings, Found
from hub_image_export.checker.running.answer_rules import (
  NOT_FINITE,
  check_default,
  check_endpoints,
  check_hyperparameter_answers,
  check_other_size,
  check_rows_differ,
  misshapen,
)
from hub_image_export.checker.running.pixel_range_rules import (
  Ask,
  check_pixel_range,
  scaled_pixels,
)
from hub_image_export.checker.running.probe_images import (
  KINDS,
  PAIR,
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
from hub_image_export.untrusted.graph import node_name

_DEFAULT = f'output "{contract.DEFAULT_OUTPUT}"'


def check_behaviour(
  running: RunningVariant, size: tuple[int, int], known: Findings
) -> Found:
  """Asks the inference variant with as few images as will do: ten, mostly.

  They have the height and width of `size`. What is `known` is not told again.
  """
  pair = two_images(*size)
  fetches = running.outputs()
  both = running.run(fetches, pair)
  alone = running.run(fetches, pair[:1])
  again = running.run(fetches, pair)
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
      both[name], alone[name], again[name], more[name], place, running.same
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
    yield from check_default(sound, both)
    yield from check_endpoints(running, pair)
  yield from check_hyperparameter_answers(sound, both)
  yield from check_other_size(running, size, sound)
  if sound:
    first = sound[0]
    yield from check_pixel_range(
      _first_ops(running),
      # All outputs: TensorFlow prepares the graph anew for other fetches.
      lambda images: running.run(running.outputs(), images)[first.name],
      pair,
      both[first.name],
      first.where(contract.IMAGES),
    )


def _first_ops(running: RunningVariant) -> Ask | None:
  signature = running.variant.image_signatures[0]
  graph, outputs = running.variant.graph, signature.output_tensors
  readers = graph.readers(graph.ancestors(outputs))
  images = node_name(signature.inputs[contract.IMAGES].name)
  end = scaled_pixels(readers, graph, images)
  if end == images:
    return None
  return functools.partial(running.run, running.tensor(f"{end}:0"))


def unsound(
  expected: int | None, both: np.ndarray, more: np.ndarray
) -> tuple[str, str]:
  """The rule that is broken unless there is a row of numbers for each image.

  `more` are the answers to `many_images`.
  """
  for rows, number in ((both, 2), (more, len(KINDS))):
    rule, text = misshapen(expected, rows, number)
    if rule:
      return rule, text
  if not np.all(np.isfinite(both)):
    return NOT_FINITE
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
  same: float,
) -> Found:
  """The answers to two images, twice, to the first alone, and to many.

  Args:
    same: how far they may be apart.
  """
  apart = distance(both, again)
  if apart > same:
    text = (
      f"Got answers {apart:.1e} apart (relative) to the same image; expected "
      "the same. Keep randomness and state out of the inference variant."
    )
    yield "not-deterministic", place, text
  elif (apart := distance(both[:1], alone)) > same:
    text = (
      f"Got answers {apart:.1e} apart (relative) to an image alone and beside "
      "another; expected the same. Use moving averages in the inference "
      "variant."
    )
    yield "batch-dependent", place, text
  elif (apart := distance(more[PAIR], both)) > same:
    text = (
      f"Got answers {apart:.1e} apart (relative) to images in a batch of two "
      f"and in one of {len(more)}; expected the same. Let no row depend on "
      "others."
    )
    yield "batch-dependent", place, text
  yield from check_rows_differ(both, place)
