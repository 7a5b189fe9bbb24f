# SPDX-License-Identifier: Apache-2.0
"""Rules that need a variant to be trained a little (F4, F5, H1)."""

from __future__ import annotations

import itertools

import numpy as np

from hub_image_export import contract
from hub_image_export.checker.judged import JudgedVariant
from hub_image_export.checker.reading.fine_tuning_rules import momentum_input
from hub_image_export.checker.reading.output_rules import classifying_signatures
from hub_image_export.checker.report import Findings, Found
from hub_image_export.checker.running import probe_images
from hub_image_export.checker.running.answer_rules import (
  NOT_FINITE,
  check_default,
  check_other_size,
  check_rows_differ,
  misshapen,
)
from hub_image_export.checker.running.running_variant import (
  RunningVariant,
  own_name,
)
from hub_image_export.checker.running.score_rules import check_no_distribution
from hub_image_export.untrusted.graph import is_random

_DEFAULT = contract.DEFAULT_OUTPUT


def check_training(
  running: RunningVariant, size: tuple[int, int], known: Findings
) -> Found:
  """Runs outputs and updates of the training variant, and sees what moves.

  Whether the outputs alone update anything needs no run: the graph shows it.
  Images have the height and width of `size`. What is `known` is not told again.
  """
  variant = running.variant
  pair = probe_images.two_images(*size)
  watched = {target for group in variant.updates.values() for target in group}
  fetches = (running.outputs(), running.update_ops)
  found = momentum_input(variant)
  if found and not known.has("bn-hparams-dead"):
    # H1: with a momentum of 1, nothing moves.
    signature, tensor = found
    before = running.values(watched)
    running.run(fetches, pair, {tensor: 1.0})
    moved = _moved(before, running.values(watched))
    if moved:
      text = (
        f"With batch_norm_momentum=1, UPDATE_OPS still move {moved[0]}; "
        "expected that nothing moves. Let every moving average take it as its "
        "decay."
      )
      yield "bn-hparams-dead", signature.where(tensor), text
  before = running.values(watched)
  outputs, _ = running.run(fetches, pair)
  yield from _check_outputs(running, size, outputs, known)
  if not running.update_ops or not watched or known.has("update-ops-dead"):
    return
  after = running.values(watched)
  for name in sorted(watched):
    if np.all(np.isfinite(before[name])) > np.all(np.isfinite(after[name])):
      text = (
        "UPDATE_OPS make it NaN or infinite for images in [0, 1]; expected a "
        "finite moving average. Check what it averages."
      )
      yield "not-finite", variant.where(name), text
  still = watched.difference(_moved(before, after))
  for value in probe_images.FAR_VALUES if still else ():
    # An average may stand where the batch is, or a maximum above.
    elsewhere = {name: np.full_like(before[name], value) for name in still}
    running.assign(elsewhere)
    running.run(fetches, pair)
    still -= set(_moved(elsewhere, running.values(still)))
    running.assign({name: before[name] for name in elsewhere})
  moving = set(itertools.chain(*variant.state_changes.values())) - still
  still = {n for n in still if not _may_move_later(variant, n, moving)}
  if still:
    text = (
      f"Running them moves {len(watched) - len(still)} of {len(watched)} "
      f"variables that they assign to, and not {min(still)}; expected moving "
      "averages to move. Let the updates depend on the batch."
    )
    yield "update-ops-dead", variant.where(contract.UPDATE_OPS), text


def _may_move_later(
  variant: JudgedVariant, variable: str, moving: set[str]
) -> bool:
  """Whether other images, or another step, might move a variable.

  What is made of others that move, a count of the steps, say, may move with
  every hundredth step alone.
  """
  writers = [n for n, group in variant.updates.items() if variable in group]
  graph = variant.graph
  before = graph.ancestors(writers) & graph.nodes.keys()
  return bool(before & moving) or graph.has_branches(
    graph.nodes[name] for name in before
  )


def _rows_ever_differ(
  running: RunningVariant, name: str, size: tuple[int, int]
) -> bool:
  """Dropout and batch norm may leave nothing of two images, by chance."""
  output, images = running.outputs()[name], probe_images.many_images(*size)
  runs = (running.run({name: output}, images)[name] for _ in range(4))
  return any(np.ptp(rows, axis=0).any() for rows in runs)


def _check_outputs(
  running: RunningVariant,
  size: tuple[int, int],
  outputs: dict[str, np.ndarray],
  known: Findings,
) -> Found:
  """The answers to two images are rows of numbers, as those of inference."""
  sound = []
  for signature in running.variant.image_signatures:
    if signature.name not in outputs:
      continue
    rows, place = outputs[signature.name], signature.where(_DEFAULT)
    rule, text = misshapen(signature.width, rows, 2)
    if not rule and not np.all(np.isfinite(rows)):
      rule, text = NOT_FINITE
    if rule:
      yield rule, place, text
      continue
    sound.append(signature)
    for problem in check_rows_differ(rows, place):
      if not _rows_ever_differ(running, signature.name, size):
        yield problem
  for signature in classifying_signatures(running.variant):
    if signature in sound and not known.has("probabilities"):
      place = signature.where(f'output "{_DEFAULT}"')
      yield from check_no_distribution(outputs[signature.name], place)
  if not _is_random(running.variant) and not known.has("default-differs"):
    yield from check_default(sound, outputs)
  if not known.has("size-dependent"):
    yield from check_other_size(running, size, sound)


def _is_random(variant: JudgedVariant) -> bool:
  """Whether outputs may depend on random numbers; functions count as such."""
  graph = variant.graph
  in_functions = (n.op for f in graph.functions.values() for n in f.node_def)
  return any(map(is_random, map(graph.op, variant.behind_outputs))) or any(
    map(is_random, in_functions)
  )


def _moved(
  before: dict[str, np.ndarray], after: dict[str, np.ndarray]
) -> list[str]:
  return sorted(
    name
    for name, value in before.items()
    if not np.array_equal(value, after[name], equal_nan=True)
  )


def check_gradients(running: RunningVariant) -> Found:
  """Builds the gradients of all outputs, in a process without the author's
  Python functions; building is where it fails."""
  if not running.trainable or running.all_get_gradients():
    return
  variant = running.variant
  try:
    gradients = running.gradients()
  except (LookupError, ValueError, TypeError, NotImplementedError) as error:
    text = (
      f"Building the gradients fails ({error}); expected those of the outputs "
      "with respect to the trainable variables. Replace or rewrite the op."
    )
    yield "not-differentiable", variant.where(), text
    return
  pairs = zip(running.trainable, gradients)
  missing = [v for v, gradient in pairs if gradient is None]
  if missing:
    text = (
      f"{len(missing)} of {len(gradients)} trainable variables get no gradient "
      "from any output; expected all to. Take them out of "
      "TRAINABLE_VARIABLES, or use them."
    )
    severity = "error" if len(missing) == len(gradients) else "info"
    place = variant.where(own_name(missing[0]))
    yield "not-differentiable", place, text, severity
