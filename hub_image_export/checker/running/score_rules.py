# SPDX-License-Identifier: Apache-2.0
"""Whether class scores are logits, whatever made them (C7); features (C4).

An untrained classifier answers nearly the same to all images, and by chance no
answer is negative. So where none is, the last weights are changed: linear
scores become negative then, and what comes out of a sigmoid, a softmax or a
clip stays where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import numpy as np

from hub_image_export.checker.judged import JudgedSignature
from hub_image_export.checker.reading.output_rules import FEATURES_EXPECTED
from hub_image_export.checker.report import Found
from hub_image_export.checker.running import probe_images
from hub_image_export.checker.running.running_variant import RunningVariant
from hub_image_export.untrusted.graph import node_name

Key = TypeVar("Key")
_READS = frozenset({"ReadVariableOp", "ResourceGather", "Identity"})
# Weights and biases of two heads.
_LAST_READS = 4
_FACTORS = (1.0, 10.0, 100.0, 1000.0)
_RANGES = (1.0, 100.0)
_SCALES = (-1.0, 255.0, -255.0)


def check_scores(
  answers: np.ndarray,
  place: str,
  is_known: bool,
  under_other_weights: Callable[[], np.ndarray],
  to_other_pixels: Callable[[], np.ndarray],
) -> Found:
  """Sees whether scores can be negative, and large.

  Args:
    answers: those so far, `[many, num_classes]`.
    place: where they come from.
    is_known: whether the files show already that they are no logits.
    under_other_weights: gives more answers; none where no weights are known.
    to_other_pixels: gives more answers.
  """
  if _is_distribution(answers):
    yield from check_no_distribution(answers, place)
    return
  if is_known or _some_negative(answers):
    return
  changed = _numbers(under_other_weights())
  proven = bool(changed.size)
  if not proven:
    changed = _numbers(to_other_pixels())
  scores = np.concatenate([answers, changed])
  if _some_negative(scores):
    return
  tried, most = "weights" if proven else "pixels", scores.max()
  for bound in _RANGES:
    if most <= bound * (1 + probe_images.SAME):
      text = (
        f"Got scores in [0, {bound:g}] for all images, and whatever the last "
        f"{tried} are; expected logits. Give what goes into the sigmoid, the "
        "softmax or the clipping."
      )
      yield "probabilities", place, text, "error" if proven else "warning"
      return
  if proven:
    text = (
      "Got no negative score, whatever the last weights are; expected linear "
      "scores. Give what goes into the ReLU."
    )
    yield "probabilities", place, text, "warning"


def check_no_distribution(scores: np.ndarray, place: str) -> Found:
  if _is_distribution(scores):
    text = (
      "Got non-negative scores that sum to 1; expected logits. Give what goes "
      "into the softmax."
    )
    yield "probabilities", place, text


def check_features(answers: np.ndarray, place: str) -> Found:
  if answers.shape[1] > 1 and _is_distribution(answers):
    text = f"Got non-negative features that sum to 1; {FEATURES_EXPECTED}"
    yield "probabilities", place, text, "warning"


def _is_distribution(rows: np.ndarray) -> bool:
  """Rows of non-negative numbers that sum to 1 come from a softmax."""
  sums = rows.sum(axis=-1)
  return bool(
    np.all(rows >= 0) and np.all(np.abs(sums - 1) < probe_images.SAME)
  )


def _some_negative(scores: np.ndarray) -> bool:
  """Beyond rounding."""
  finite = np.nan_to_num(scores)
  return bool(finite.min() < -probe_images.SAME * np.abs(finite).max())


def _numbers(rows: np.ndarray) -> np.ndarray:
  """The rows without NaN; infinity is a large score."""
  return rows[~np.isnan(rows).any(axis=-1)]


def other_weights(
  values: Mapping[Key, np.ndarray],
) -> Iterator[dict[Key, np.ndarray]]:
  """Random values for weights, larger each time."""
  random = np.random.RandomState(0)
  for factor in _FACTORS if values else ():
    yield {
      key: factor * _size(value) * random.standard_normal(value.shape)
      for key, value in values.items()
    }


def _size(weights: np.ndarray) -> float:
  """That of a usual number among them; of none if they are zeros."""
  return 0.1 + float(np.sqrt(np.mean(np.square(weights))))


def other_pixels(images: np.ndarray) -> np.ndarray:
  """Such as no image has, for networks without weights to change."""
  return np.concatenate([scale * images for scale in _SCALES])


def under_other_weights(
  running: RunningVariant, signature: JudgedSignature, images: np.ndarray
) -> np.ndarray:
  """Answers with the last weights replaced; none where there are none."""
  reads = _last_reads(signature)
  values = running.run({r: running.tensor(r) for r in reads}, images)
  scores = running.outputs()[signature.name]
  found = [running.run(scores, images, w) for w in other_weights(values)]
  return np.concatenate([np.zeros([0, signature.width or 0]), *found])


def _last_reads(signature: JudgedSignature) -> list[str]:
  """The tensors of the trainable variables that are read last."""
  variant, graph = signature.variant, signature.variant.graph
  weights = set(variant.trainable) & variant.float_variables
  pending, seen, found = [signature.tensor or ""], set(), []
  for tensor in pending:
    name = node_name(tensor)
    if name in seen:
      continue
    seen.add(name)
    inputs = graph.data_inputs(name)
    if graph.op(name) in _READS and inputs and node_name(inputs[0]) in weights:
      found.append(f"{name}:0")
      if len(found) == _LAST_READS:
        break
    pending += inputs
  return found
