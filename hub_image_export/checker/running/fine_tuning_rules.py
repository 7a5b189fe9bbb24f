# SPDX-License-Identifier: Apache-2.0
"""Rules that a reusable SavedModel is trained a little for (T6, T8 to T11).

The process is a fresh one: what only the author's has, such as gradients that
are Python functions, is missing, as it is for consumers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from hub_image_export import contract
from hub_image_export.checker.reading.call_graph_rules import written
from hub_image_export.checker.report import Findings, Found
from hub_image_export.checker.running import probe_images
from hub_image_export.checker.running.running_object import (
  RunningObject,
  own_name,
)
from hub_image_export.tensorflow_api.compat import tf

_MOMENTUM = contract.BATCH_NORM_MOMENTUM
_ERRORS = (LookupError, ValueError, TypeError, NotImplementedError)


def check_training_calls(
  running: RunningObject, size: tuple[int, int], known: Findings
) -> Found:
  """Calls with `training=True`, and sees what moves."""
  pair = probe_images.two_images(*size)
  if not running.can_train:
    return
  before = running.values()
  yield from _check_momentum(running, pair, before)
  running.restore(before)
  answers = running.ask(pair, training=True)
  judged = running.judged
  moved = running.moved(before)
  if judged.width and answers.shape != (2, judged.width):
    text = (
      f"Got an array of shape {list(answers.shape)} for two images with "
      f"training=True; expected [2, {judged.width}], as without."
    )
    yield "width-differs", judged.where("result"), text
  elif not np.all(np.isfinite(answers)):
    text = (
      "Got NaN or infinity for images in [0, 1] with training=True; "
      "expected finite numbers."
    )
    yield "not-finite", judged.where("result"), text
  for variable in moved:
    if variable.dtype.is_floating and not np.all(np.isfinite(variable)):
      text = (
        f"A call with training=True makes {own_name(variable)} NaN or "
        "infinite; expected a finite moving average. Check what it averages."
      )
      yield "not-finite", judged.where(), text
  if not moved and not known.has("no-update-ops", "variables-unlisted"):
    yield from _check_dead(running, pair)
  running.restore(before)


def _check_dead(running: RunningObject, pair: np.ndarray) -> Found:
  """Nothing has moved: had something to?"""
  judged = running.judged
  objects = judged.objects
  traces = judged.call.traces if judged.call else []
  targets: set[int] = set()
  for trace in traces:
    if trace.options.get(contract.TRAINING):
      targets |= written(objects, trace.name, trace.captured)
  if targets:
    text = (
      f"A call with training=True assigns to {len(targets)} variables, as "
      f"{objects.variable_name(min(targets))}, and moves none; expected moving "
      "averages to move. Let the updates depend on the batch."
    )
    yield "update-ops-dead", judged.where(), text
    return
  together, again, alone = (
    running.ask(images, training=True) for images in (pair, pair, pair[:1])
  )
  is_random = probe_images.distance(together, again) > probe_images.SAME
  apart = probe_images.distance(together[:1], alone)
  if not is_random and apart > probe_images.SAME:
    text = (
      "With training=True an image's answer depends on its batch, and "
      "nothing moves; expected that the moving averages of these statistics "
      "do, which inference computes with. Assign to them in that call."
    )
    yield "update-ops-dead", judged.where(), text


def _check_momentum(
  running: RunningObject, pair: np.ndarray, before: list[np.ndarray]
) -> Found:
  """With a momentum of 1, nothing moves."""
  call = running.judged.call
  if call is None or call.parameter(_MOMENTUM) is None:
    return
  running.ask(pair, training=True, **{_MOMENTUM: 1.0})
  moved = running.moved(before)
  running.restore(before)
  running.ask(pair, training=True)
  text = None
  if moved:
    text = (
      f"With {_MOMENTUM}=1, a call still moves {own_name(moved[0])}; expected "
      "that nothing moves. Let every moving average take it as its decay."
    )
  elif not running.moved(before):
    text = (
      f"No call with training=True moves anything; expected `{_MOMENTUM}` to "
      "be the decay of moving averages. Leave it out where there are none."
    )
  if text:
    yield "bn-hparams-dead", running.judged.where(_MOMENTUM), text


def check_object_gradients(
  running: RunningObject, size: tuple[int, int]
) -> Found:
  """Each trainable variable gets a gradient that is not all zero."""
  judged, before = running.judged, running.values()
  images = probe_images.many_images(*size)
  without = dict(enumerate(running.trainable))
  zero: set[int] = set()
  for batch, options in _ways(running, images):
    if not without:
      break
    try:
      found = _gradients(running, list(without.values()), batch, options)
    except _ERRORS as error:
      text = (
        f"Building the gradients fails ({error}); expected those of the result "
        "with respect to `trainable_variables`. Replace or rewrite the op."
      )
      yield "not-differentiable", judged.where(), text
      return
    for i, gradient in zip(list(without), found):
      if gradient is not None and np.any(gradient):
        del without[i]
      elif gradient is not None:
        zero.add(i)
  running.restore(before)
  for i, variable in without.items():
    what = "one that is all zero" if i in zero else "none"
    text = (
      f"Got, as the gradient by {own_name(variable)}, {what}; expected that "
      "each of `trainable_variables` can be trained. Use it, or take it out."
    )
    yield "not-differentiable", judged.where("trainable_variables"), text


def _ways(
  running: RunningObject, images: np.ndarray
) -> Iterator[tuple[np.ndarray, dict[str, Any]]]:
  """Calls to take gradients of; most need the first one only."""
  yield images, running.in_training
  noise = np.random.RandomState(1).random_sample(images.shape)
  yield np.float32(noise), running.in_training
  call = running.judged.call
  for trace in call.traces if call else ():
    if trace.options.get(contract.TRAINING) or not running.can_train:
      yield images, trace.options
  yield np.float32(noise), {}


def _gradients(
  running: RunningObject,
  variables: list[Any],
  images: np.ndarray,
  options: dict[str, Any],
) -> list[Any]:
  """Of a sum of all results with random weights; None where there is none."""
  random = np.random.RandomState(0)
  with tf.GradientTape() as tape:
    total = tf.add_n(
      [
        tf.reduce_sum(tf.cast(t, tf.float32) * random.standard_normal(t.shape))
        for t in running.tensors(images, **options)
        if t.dtype.is_floating
      ]
    )
  found = tape.gradient(total, variables)
  return [None if g is None else tf.convert_to_tensor(g).numpy() for g in found]


def check_object_penalties(running: RunningObject) -> Found:
  """T10: numbers that train weights."""
  for i, penalty in enumerate(running.penalties):
    place = running.judged.where(f"{contract.REGULARIZATION_LOSSES}[{i}]")
    with tf.GradientTape() as tape:
      loss = penalty()
    gradients = tape.gradient(loss, running.trainable)
    if not np.all(np.isfinite(loss)):
      text = (
        f"Got a penalty of {loss.numpy()}; expected a finite number. Check the "
        "weights and the regularizer."
      )
      yield "not-finite", place, text
    elif running.trainable and all(g is None for g in gradients):
      text = (
        "It depends on none of `trainable_variables`; expected a penalty of "
        "weights. Compute it from them within the function."
      )
      yield "penalty-ill-formed", place, text
