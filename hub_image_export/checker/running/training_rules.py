# SPDX-License-Identifier: Apache-2.0
"""Rules that need a variant to be trained a little (F4, F5, H1)."""

from __future__ import annotations

import numpy as np

from hub_image_export import contract
from hub_image_export.checker.reading.fine_tuning_rules import momentum_input
from hub_image_export.checker.report import Findings, Found
from hub_image_export.checker.running import probe_images
from hub_image_export.checker.running.running_variant import (
  RunningVariant,
  own_name,
)


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
  for signature in variant.image_signatures:
    if not np.all(np.isfinite(outputs.get(signature.name, 0.0))):
      text = "Got NaN or infinity for images in [0, 1]; expected finite"
      place = signature.where(contract.DEFAULT_OUTPUT)
      yield "not-finite", place, f"{text} numbers."
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
  if not _moved(before, after):
    text = (
      f"Running them moved none of {len(watched)} variables, such as "
      f"{min(watched)}; expected moving averages to move. Let the updates "
      "depend on the batch."
    )
    yield "update-ops-dead", variant.where(contract.UPDATE_OPS), text


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
