# SPDX-License-Identifier: Apache-2.0
"""Rules that a reusable SavedModel is called for, in inference (T2 to T7)."""

from __future__ import annotations

import functools

import numpy as np

from hub_image_export import contract
from hub_image_export.checker.reading.saved_objects import Spec
from hub_image_export.checker.report import Findings, Found
from hub_image_export.checker.running import probe_images
from hub_image_export.checker.running.behaviour_rules import (
  check_answers,
  unsound,
)
from hub_image_export.checker.running.first_ops import (
  check_same_scaling,
  first_ops,
)
from hub_image_export.checker.running.pixel_range_rules import check_pixel_range
from hub_image_export.checker.running.running_object import (
  RunningObject,
  own_name,
)
from hub_image_export.checker.running.score_rules import (
  check_features,
  check_scores,
  other_pixels,
  other_weights,
)
from hub_image_export.tensorflow_api.compat import tf


def check_plain_calls(
  running: RunningObject, size: tuple[int, int], known: Findings
) -> Found:
  """Asks as `check_behaviour` does, and that nothing moves."""
  judged, place = running.judged, running.judged.where("result")
  pair, many = probe_images.two_images(*size), probe_images.many_images(*size)
  before = running.values()
  both, alone = running.ask(pair), running.ask(pair[:1])
  again, more = running.ask(pair), running.ask(many)
  is_random = probe_images.distance(both, again) > running.same
  moved = running.moved(before)
  if running.can_train and not is_random and not moved:
    yield from _check_default(running, pair, both)
  for variable in moved:
    text = (
      f"A call without training=True changes {own_name(variable)}; expected "
      "that inference changes nothing. Keep updates out of it."
    )
    yield "updates-without-asking", judged.where(), text
  if moved:
    return
  rule, text = unsound(judged.width, both, more)
  if rule:
    yield rule, place, text
    return
  yield from check_answers(both, alone, again, more, place, running.same)
  answers = np.concatenate([both, more])
  if judged.is_classifier:
    yield from check_scores(
      answers,
      place,
      known.has("probabilities"),
      functools.partial(_under_other_weights, running, many),
      functools.partial(running.ask, other_pixels(many)),
    )
  else:
    yield from check_features(answers, place)
  yield from _check_other_size(running, size)
  scaling, place = first_ops(judged), judged.where(contract.IMAGES)
  run = scaling.run if scaling else None
  yield from check_pixel_range(run, running.ask, pair, both, place)
  in_training = first_ops(judged, training=True)
  yield from check_same_scaling(scaling, in_training, size, place)


def _check_default(
  running: RunningObject, pair: np.ndarray, both: np.ndarray
) -> Found:
  apart = probe_images.distance(running.ask(pair, training=False), both)
  if apart > running.same:
    text = (
      f"Got answers {apart:.1e} apart (relative) without `training` and with "
      f"training=False; expected the same. Make False the default."
    )
    yield "call-arguments", running.judged.where(contract.TRAINING), text


def _under_other_weights(
  running: RunningObject, images: np.ndarray
) -> np.ndarray:
  """Answers with others in the weights that have a number for each class."""
  width, before = running.judged.width, running.values()
  last = {
    i: before[i]
    for i, variable in enumerate(running.variables)
    if variable.trainable and variable.dtype.is_floating
    if variable.shape.rank and variable.shape[-1] == width
  }
  found = [np.zeros([0, width or 0])]
  for weights in other_weights(last):
    for i, value in weights.items():
      running.variables[i].assign(value.astype(before[i].dtype))
    found.append(running.ask(images))
  running.restore(before)
  return np.concatenate(found)


def _check_other_size(running: RunningObject, size: tuple[int, int]) -> Found:
  judged = running.judged
  specs = [spec for spec in judged.images if isinstance(spec, Spec)]
  other = probe_images.other_size(
    size, [(s.shape[1], s.shape[2]) if s.shape else None for s in specs]
  )
  if other is None:
    return
  height, width = other
  place = judged.where("images")
  try:
    found = running.ask(probe_images.two_images(height, width)[:1])
  except (tf.errors.OpError, ValueError) as error:
    text = (
      f"Images of {height} x {width} fail ({str(error)[:200]}); expected any "
      "size, where the shape leaves it unknown. Fix the size."
    )
    yield "size-dependent", place, text
    return
  if found.shape != (1, judged.width) or not np.all(np.isfinite(found)):
    text = (
      f"Got an array of shape {list(found.shape)} for an image of {height} x "
      f"{width}; expected [1, {judged.width}], finite, as for any size. Pool "
      "over height and width, or fix the size."
    )
    yield "size-dependent", judged.where("result"), text
