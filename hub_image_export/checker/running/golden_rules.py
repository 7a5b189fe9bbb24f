# SPDX-License-Identifier: Apache-2.0
"""The golden example: what a module answered when it was made (F6).

Modules of this package have it in `assets.extra/golden.json`. Others may have
a file of this name that means something else: it is not looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hub_image_export import contract
from hub_image_export.checker.reading.manifest_rules import read_extra_json
from hub_image_export.checker.report import Found
from hub_image_export.checker.running import probe_images

_GOLDEN = f"{contract.EXTRA_ASSETS_DIR}/golden.json"
_FORMULA = (
  "images[0, y, x, c] = ((37*x*x + 71*y*y + 23*x*y + 101*c) % 256) / 255"
)


def check_golden(
  directory: str,
  size: tuple[int, int],
  ask: Callable[[np.ndarray], dict[str, np.ndarray]],
  where: Callable[[str], str],
  same: float,
) -> Found:
  """Asks again what the module answered when it was made.

  Args:
    directory: the module's.
    size: height and width of its images.
    ask: gives the answers of inference to images, by task.
    where: the place of a task.
    same: how far answers may be apart.
  """
  example = yield from read_extra_json(directory, _GOLDEN)
  if example is None:
    return
  answers = _answers(example, size)
  if answers is None:
    text = (
      f"Got an example that is not understood; expected one image of {size} "
      "by the formula of format 1, and what each task answers to it. It is "
      "left out."
    )
    yield "unchecked", _GOLDEN, text
    return
  found = ask(golden_image(*size))
  for task, expected in answers.items():
    apart = probe_images.distance(found.get(task, np.zeros(0)), expected)
    if not apart <= same:
      text = (
        f"Got an answer to the golden example that is {apart:.1e} apart "
        f"(relative); expected that of {_GOLDEN}. The weights, the graph or "
        "TensorFlow changed what the module computes."
      )
      yield "golden-differs", where(task), text


def golden_image(height: int, width: int) -> np.ndarray:
  """What `_FORMULA` says, `float32 [1, height, width, 3]`."""
  y, x, c = np.indices((height, width, contract.NUM_CHANNELS))
  values = (37 * x * x + 71 * y * y + 23 * x * y + 101 * c) % 256
  return np.float32(values / 255)[None]


def _answers(
  example: dict[str, Any], size: tuple[int, int]
) -> dict[str, np.ndarray] | None:
  """By task, `[1, width]`; None if this is no example that is known here."""
  shape = [1, *size, contract.NUM_CHANNELS]
  known = {"formula": _FORMULA, "name": contract.IMAGES, "shape": shape}
  outputs = example.get("outputs")
  if example.get("input") != known or not isinstance(outputs, dict):
    return None
  try:
    return {task: np.array(v, np.float64) for task, v in outputs.items()}
  except (OverflowError, TypeError, ValueError):
    return None
