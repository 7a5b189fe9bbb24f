"""Rules that need a variant to be trained a little (F4, F5, H1)."""

from __future__ import annotations

from typing import Any

import numpy as np

from hub_image_export import contract
from hub_image_export.checker.reading.fine_tuning import updates
from hub_image_export.checker.reading.hyperparameters import momentum_input
from hub_image_export.checker.report import Findings
from hub_image_export.checker.running import images
from hub_image_export.checker.running.session import LoadedVariant
from hub_image_export.tensorflow_api.compat import tf


def check_training(
  loaded: LoadedVariant, size: tuple[int, int], findings: Findings
) -> None:
  """Runs the outputs together with the updates, and sees what moves.

  Whether the outputs alone update anything needs no run: the graph shows it.

  Args:
    loaded: the training variant.
    size: the expected height and width.
    findings: where to report.
  """
  pair = images.two_images(*size)
  watched = {t for targets in updates(loaded.variant).values() for t in targets}
  fetches = (loaded.outputs(), loaded.update_ops)
  found = momentum_input(loaded.variant)
  if found and not findings.has("bn-hparams-dead"):
    _check_frozen(loaded, found, fetches, pair, watched, findings)
  before = loaded.values(watched)
  outputs, _ = loaded.run(fetches, pair)
  _check_finite(loaded, outputs, findings)
  if (
    loaded.update_ops
    and watched
    and not _moved(before, loaded.values(watched))
    and not findings.has("update-ops-dead")
  ):
    findings.add(
      "update-ops-dead",
      loaded.variant.where(tensor=contract.UPDATE_OPS),
      f"Running them moved none of {len(watched)} variables, such as "
      f"{min(watched)}; expected moving averages to move. Let the updates "
      "depend on the batch.",
    )


def _check_finite(
  loaded: LoadedVariant, outputs: dict[str, np.ndarray], findings: Findings
) -> None:
  for name, values in outputs.items():
    if not np.all(np.isfinite(values)):
      findings.add(
        "not-finite",
        loaded.variant.where(name, contract.DEFAULT_OUTPUT),
        "Got NaN or infinity for images in [0, 1]; expected finite numbers.",
      )


def _check_frozen(
  loaded: LoadedVariant,
  momentum: tuple[str, str],
  fetches: Any,
  pair: np.ndarray,
  watched: set[str],
  findings: Findings,
) -> None:
  """H1: with a momentum of 1, nothing moves."""
  before = loaded.values(watched)
  loaded.run(fetches, pair, {momentum[1]: 1.0})
  moved = _moved(before, loaded.values(watched))
  if moved:
    findings.add(
      "bn-hparams-dead",
      loaded.variant.where(*momentum),
      f"With batch_norm_momentum=1, UPDATE_OPS still move {moved[0]}; "
      "expected that nothing moves. Let every moving average take it as its "
      "decay.",
    )


def _moved(
  before: dict[str, np.ndarray], after: dict[str, np.ndarray]
) -> list[str]:
  return sorted(
    name
    for name, value in before.items()
    if not np.array_equal(value, after[name], equal_nan=True)
  )


def check_gradients(loaded: LoadedVariant, findings: Findings) -> None:
  """Builds the gradients of all outputs, in a process without the author's
  Python functions; building is where it fails."""
  if not loaded.trainable:
    return
  try:
    with loaded.as_default():
      gradients = tf.gradients(_targets(loaded), loaded.trainable)
  except (LookupError, ValueError, TypeError, NotImplementedError) as error:
    findings.add(
      "not-differentiable",
      loaded.variant.where(),
      f"Building the gradients fails ({error}); expected those of the outputs "
      "with respect to the trainable variables. Replace or rewrite the op.",
    )
    return
  missing = [
    variable.name.partition("/")[2]
    for variable, gradient in zip(loaded.trainable, gradients)
    if gradient is None
  ]
  if missing:
    nothing = len(missing) == len(gradients)
    findings.add(
      "not-differentiable",
      loaded.variant.where(tensor=missing[0]),
      f"{len(missing)} of {len(gradients)} trainable variables get no gradient "
      "from any output; expected all to. Take them out of "
      "TRAINABLE_VARIABLES, or use them.",
      severity=None if nothing else "info",
    )


def _targets(loaded: LoadedVariant) -> list[Any]:
  """One tensor each for all differing outputs, to be differentiated."""
  tensors = {tensor.name: tensor for tensor in loaded.outputs().values()}
  return list(tensors.values())
