# SPDX-License-Identifier: Apache-2.0
"""Weight penalties: what they are, and that variants agree on them (F4)."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from hub_image_export import contract
from hub_image_export.checker.report import Found, Problem
from hub_image_export.checker.running import probe_images
from hub_image_export.checker.running.running_variant import RunningVariant


def check_penalties(
  running: RunningVariant, size: tuple[int, int]
) -> Generator[Problem, None, list[float]]:
  """Looks at each penalty of a variant.

  Returns:
    Those that are numbers, sorted.
  """
  variant = running.variant
  names = variant.collection(contract.REGULARIZATION_LOSSES)
  if not names:
    return []
  tensors = {name: running.tensor(name) for name in names}
  found = []
  # They depend on no images; an argument of every run.
  values = running.run(tensors, probe_images.two_images(*size)[:1])
  for name, value in values.items():
    place = variant.where(f"{contract.REGULARIZATION_LOSSES}, {name}")
    if value.shape != () or value.dtype != np.float32:
      text = (
        f"Got {value.dtype} of shape {list(value.shape)}; expected a float32 "
        "scalar, which consumers add to their loss. Sum it up."
      )
      yield "penalty-ill-formed", place, text
    elif not np.isfinite(value):
      text = (
        f"Got a penalty of {value}; expected a finite number. Check the "
        "weights and the regularizer."
      )
      yield "not-finite", place, text
    else:
      found.append(float(value))
  return sorted(found)


def check_same_penalties(inference: list[float], train: list[float]) -> Found:
  """By value; that there are as many of them is told from the files."""
  if len(inference) != len(train):
    return
  if probe_images.distance(np.array(inference), np.array(train)) > (
    probe_images.SAME
  ):
    text = (
      f"Got regularization losses of {sum(inference):.6g} in the inference "
      f"variant and {sum(train):.6g} in the training variant, in all; expected "
      "the same in both. Add the same weight penalties to both."
    )
    yield "penalties-differ", "", text
