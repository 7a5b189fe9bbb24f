# SPDX-License-Identifier: Apache-2.0
"""One step of a module, or of its source: what is compared."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable
from typing import Any

from hub_image_export import contract

# Of the outputs, as `flat_outputs` gives them: what is differentiated.
Objective = Callable[[dict[str, Any]], Any]


@dataclasses.dataclass(frozen=True)
class Step:
  """What one training step gives, of a module or of its source.

  Attributes:
    outputs: by task and key.
    values: of variables after the step, by name.
    penalties: their sum.
    gradients: of an objective, by name of the variable, where there are any
      and they were asked for.
  """

  outputs: dict[str, Any]
  values: dict[str, Any]
  penalties: Any
  gradients: dict[str, Any]


def flat_outputs(tensors: dict[str, Any]) -> dict[str, Any]:
  """Outputs by task and key."""
  found = {}
  for task, value in tensors["tasks"].items():
    found[f"{task}/{contract.DEFAULT_OUTPUT}"] = value
    found.update({f"{task}/{k}": v for k, v in tensors["endpoints"].items()})
  return found


def sum_of(penalties: list[list[Any]]) -> float:
  """Of the penalties, by origin: what several have in common counts once."""
  counts = [collections.Counter(map(float, origin)) for origin in penalties]
  values = {value for count in counts for value in count}
  return sum(v * max(count[v] for count in counts) for v in values)
