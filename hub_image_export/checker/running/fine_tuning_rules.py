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
from hub_image_export.checker.reading.saved_objects import is_plain
from hub_image_export.checker.report import Findings, Found
from hub_image_export.checker.running import probe_images
from hub_image_export.checker.running.answer_rules import (
  NOT_FINITE,
  check_rows_differ,
  misshapen,
)
from hub_image_export.checker.running.running_object import (
  RunningObject,
  own_name,
)
from hub_image_export.checker.running.score_rules import check_no_distribution
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
  place = judged.where("result, training=True")
  rule, text = misshapen(judged.width, answers, 2)
  if not rule and not np.all(np.isfinite(answers)):
    rule, text = NOT_FINITE
  if rule:
    yield rule, place, text
  else:
    yield from check_rows_differ(answers, place)
    if judged.is_classifier and not known.has("probabilities"):
      yield from check_no_distribution(answers, place)
  for variable in moved:
    if variable.dtype.is_floating and not np.all(np.isfinite(variable)):
      text = (
        f"A call with training=True makes {own_name(variable)} NaN or "
        "infinite; expected a finite moving average. Check what it averages."
      )
      yield "not-finite", judged.where(), text
  if not known.has("no-update-ops", "variables-unlisted"):
    yield from _check_still(running, pair, before, moved)
  running.restore(before)


def _check_still(
  running: RunningObject,
  pair: np.ndarray,
  before: list[np.ndarray],
  moved: list[Any],
) -> Found:
  """Whether all moves that is assigned to; `moved` are those that did."""
  assigned, known = _assigned(running), set(map(id, moved))
  still = {i for i in assigned if id(running.variables[i]) not in known}
  for value in probe_images.FAR_VALUES if still else ():
    # An average may stand where the batch is, or a maximum above.
    elsewhere = [
      np.full_like(old, value) if i in still else old
      for i, old in enumerate(before)
    ]
    running.restore(elsewhere)
    running.ask(pair, training=True)
    now = running.values()
    still = {i for i in still if np.array_equal(now[i], elsewhere[i])}
  if still and not (_has_branches(running) or any(map(_counts, moved))):
    text = (
      f"A call with training=True assigns to {len(assigned)} variables, and "
      f"does not move {own_name(running.variables[min(still)])}; expected "
      "moving averages to move. Let the updates depend on the batch."
    )
    yield "update-ops-dead", running.judged.where(), text
  elif not moved:
    yield from _check_batch(running, pair)


def _counts(variable: Any) -> bool:
  """Whether it may be what others wait for, to move at some later step."""
  return not variable.dtype.is_floating or variable.shape.rank == 0


def _assigned(running: RunningObject) -> set[int]:
  """The places, among the variables, of what a plain call assigns to."""
  judged = running.judged
  objects, call = judged.objects, judged.call
  targets: set[int] = set()
  for trace in call.traces if call else ():
    if is_plain(call, trace) and trace.options.get(contract.TRAINING):
      targets |= written(objects, trace.name, trace.captured)
  listed = objects.items(judged.node, "variables") or ()
  return {
    i
    for i, (node, variable) in enumerate(zip(listed, running.variables))
    if node in targets and variable.dtype.is_floating
  }


def _has_branches(running: RunningObject) -> bool:
  """Whether a call computes one thing or another, as its images are."""
  call, graph = running.judged.call, running.judged.objects.graph
  names = {trace.name for trace in (call.traces if call else ())}
  return graph.has_branches(
    node
    for name in names & graph.functions.keys()
    for node in graph.functions[name].node_def
  )


def _check_batch(running: RunningObject, pair: np.ndarray) -> Found:
  """Nothing moves: should something?"""
  together, again, alone = (
    running.ask(images, training=True) for images in (pair, pair, pair[:1])
  )
  is_random = probe_images.distance(together, again) > running.same
  apart = probe_images.distance(together[:1], alone)
  if not is_random and apart > running.same:
    text = (
      "With training=True an image's answer depends on its batch, and "
      "nothing moves; expected that the moving averages of these statistics "
      "do, which inference computes with. Assign to them in that call."
    )
    yield "update-ops-dead", running.judged.where(), text


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
  if without and _has_branches(running):
    # Other images may take the branch in which these are used.
    without = {i: v for i, v in without.items() if i not in zero}
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
  # A weight that begins at zero, as the last one of a residual block or of a
  # head may, lets no gradient through to those before it.
  random = np.random.RandomState(2)
  for variable in running.trainable:
    nudge = 0.1 * random.standard_normal(variable.shape)
    variable.assign(variable.numpy() + nudge.astype(variable.numpy().dtype))
  yield images, running.in_training
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
  judged = running.judged
  objects, node = judged.objects, judged.node
  nodes = objects.items(node, contract.REGULARIZATION_LOSSES) or ()
  trained = set(objects.items(node, "trainable_variables") or ())
  for i, (penalty, of_node) in enumerate(zip(running.penalties, nodes)):
    place = judged.where(f"{contract.REGULARIZATION_LOSSES}[{i}]")
    function = objects.function(of_node)
    with tf.GradientTape() as tape:
      loss = penalty()
    gradients = tape.gradient(loss, running.trainable)
    if not np.all(np.isfinite(loss)):
      text = (
        f"Got a penalty of {loss.numpy()}; expected a finite number. Check the "
        "weights and the regularizer."
      )
      yield "not-finite", place, text
    elif function is None or not trained.intersection(function.captured):
      continue  # Of weights that are not to be trained, say.
    elif all(g is None for g in gradients):
      text = (
        "It has no gradient by any of `trainable_variables`; expected a "
        "penalty of weights. Compute it from them within the function."
      )
      yield "penalty-ill-formed", place, text
