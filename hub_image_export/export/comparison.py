# SPDX-License-Identifier: Apache-2.0
"""What a module gives and what its source gives, held against each other."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from hub_image_export.errors import VerificationError
from hub_image_export.export.step import Step

# Of the largest value of an output, in all batches.
_OF_OUTPUT = 1e-4
# Of a variable's largest value, and of its largest change.
_OF_VALUE, _OF_CHANGE = 1e-4, 1e-2
# Gradients are sums of many products of either sign.
_OF_GRADIENT, _OF_ALL_GRADIENTS = 1e-2, 5e-2
# Moving means of what is 0 but for rounding have no scale of their own.
_ROUNDING = 1e-6


@dataclasses.dataclass(frozen=True)
class Difference:
  """How far a part of a module is from its source.

  Attributes:
    variant: "inference" or "train".
    kind: "output", "variable", "penalties" or "gradient".
    name: signature and key of an output (`"image_feature_vector/default"`), or
      a variable's name.
    absolute: the largest absolute difference.
    relative: the same over the largest absolute value at the source.
    tolerance: what `absolute` may be.
    values: the source's and the module's, where they differ most.
  """

  variant: str
  kind: str
  name: str
  absolute: float
  relative: float
  tolerance: float
  values: tuple[float, float]

  @property
  def fails(self) -> bool:
    return not self.absolute <= self.tolerance  # Holds for NaN, too.

  @property
  def part(self) -> str:
    return f"{self.kind} {self.name}".strip()

  def __str__(self) -> str:
    return (
      f"the {self.part} of the {self.variant} variant differs from the "
      f"source's by {self.absolute:.3g} ({self.relative:.3g} of its scale), "
      f"expected at most {self.tolerance:.3g}: the source gives "
      f"{self.values[0]:.7g} where the module gives {self.values[1]:.7g}"
    )


def outputs(
  variant: str, found: list[dict[str, Any]], expected: list[dict[str, Any]]
) -> list[Difference]:
  """Compares outputs for several batches, by the largest value in all."""
  differences = []
  for name in sorted(expected[0]):
    scale = max(_largest(batch[name]) for batch in expected)
    batches = [
      _difference(variant, "output", name, a[name], b[name], scale, _OF_OUTPUT)
      for a, b in zip(found, expected)
    ]
    differences.append(max(batches, key=lambda d: (d.fails, d.absolute)))
  return differences


def steps(
  found: Step, expected: Step, before: Callable[[str], Any]
) -> list[Difference]:
  """Compares one training step of a module with that of its source.

  Args:
    before: gives the value that a variable has before the step, by its name.
  """
  differences = outputs("train", [found.outputs], [expected.outputs])
  for name in sorted({*found.values, *expected.values}):
    first = before(name)
    module, source = (s.values.get(name, first) for s in (found, expected))
    scale, change = _largest(source), _largest(_minus(source, first))
    allowed = min(_OF_CHANGE * change, _OF_VALUE * scale)
    differences.append(
      _difference(
        *("train", "variable", name, module, source, scale),
        absolute=_ROUNDING * (1 + scale) + allowed,
      )
    )
  sums = found.penalties, expected.penalties
  if any(sums):
    differences.append(
      _difference(
        "train", "penalties", "", *sums, _largest(sums[1]), _OF_OUTPUT
      )
    )
  largest = max(map(_largest, expected.gradients.values()), default=0.0)
  for name in sorted({*found.gradients, *expected.gradients}):
    # Where there is no gradient, it is zero.
    module, source = (s.gradients.get(name, 0.0) for s in (found, expected))
    allowed = _largest(source) + _OF_ALL_GRADIENTS * largest
    differences.append(
      _difference(
        *("train", "gradient", name, module, source, _largest(source)),
        absolute=_OF_GRADIENT * allowed,
      )
    )
  return differences


def _difference(
  variant: str,
  kind: str,
  name: str,
  found: Any,
  expected: Any,
  scale: float,
  relative: float = 0.0,
  absolute: float = 0.0,
) -> Difference:
  """Compares values; the tolerance is `relative` to `scale`, or `absolute`."""
  shapes = np.shape(found), np.shape(expected)
  if shapes[0] != shapes[1] and () not in shapes:
    raise VerificationError(
      f"the {kind} {name} of the {variant} variant has shape {shapes[0]}: the "
      f"source gives {shapes[1]}"
    )
  distance = np.abs(_minus(found, expected))
  if not distance.size:
    distance = np.zeros([1])
  place = np.unravel_index(np.argmax(distance), distance.shape)
  values = [
    float(np.broadcast_to(value, distance.shape)[place])
    for value in (expected, found)
  ]
  largest = float(distance[place])
  return Difference(
    variant=variant,
    kind=kind,
    name=name,
    absolute=largest,
    relative=largest / scale if scale else largest,
    tolerance=max(absolute, relative * scale),
    values=(values[0], values[1]),
  )


def _minus(a: Any, b: Any) -> Any:
  """The difference; none where both are NaN, or the same infinity."""
  a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
  with np.errstate(invalid="ignore"):
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    return np.where(same, 0.0, a - b)


def _largest(values: Any) -> float:
  """The largest absolute value that is a number."""
  values = np.abs(np.asarray(values, np.float64))
  return float(np.max(values, initial=0.0, where=np.isfinite(values)))
