"""Medians, spreads, ratios and straight lines, of rows of results."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Sequence

from benchmarks.measure import TOTAL
from benchmarks.results import Results

MEGABYTE = 1e6


@dataclasses.dataclass(frozen=True)
class Spread:
  """The median of some numbers, and their extremes."""

  median: float
  least: float
  most: float

  @classmethod
  def of(cls, values: Sequence[float]) -> Spread:
    return cls(statistics.median(values), min(values), max(values))

  def __str__(self) -> str:
    if self.least == self.most:
      return number(self.median)
    extremes = f"{number(self.least)}–{number(self.most)}"
    return f"{number(self.median)} ({extremes})"


def number(value: float) -> str:
  """Three significant digits, and all digits before the point."""
  if value == 0 or not math.isfinite(value):
    return f"{value:g}"
  decimals = max(0, 2 - math.floor(math.log10(abs(value))))
  return f"{value:.{decimals}f}"


def seconds(
  results: Results, table: str, phase: str = TOTAL, **values: str
) -> Spread | None:
  """Of the rows with these values; None if none has the phase."""
  rows = results.rows(table, **values)
  found = [row["seconds"][phase] for row in rows if phase in row["seconds"]]
  return Spread.of(found) if found else None


def megabytes(
  results: Results, table: str, key: str, **values: str
) -> Spread | None:
  rows = results.rows(table, **values)
  found = [row[key] / MEGABYTE for row in rows if key in row]
  return Spread.of(found) if found else None


def ratio(over: Spread | None, under: Spread | None) -> float | None:
  """Of the medians."""
  if over is None or under is None:
    return None
  return over.median / under.median


def geometric_mean(values: Sequence[float]) -> float:
  return math.exp(statistics.fmean(math.log(value) for value in values))


def relative_rates(row: dict, name: str) -> Spread:
  """Images per second over those of the source in the same round."""
  rates = row["images_per_second"]
  return Spread.of([x / y for x, y in zip(rates[name], rates["source"])])


@dataclasses.dataclass(frozen=True)
class Line:
  """y = intercept + slope·x, by least squares.

  Attributes:
    r_squared: the share of the variance of y that it explains.
    residual: the largest distance of a point, as a share of the largest y.
  """

  slope: float
  intercept: float
  r_squared: float
  residual: float


def fit(xs: Sequence[float], ys: Sequence[float]) -> Line:
  """The line through at least two points."""
  mean_x, mean_y = statistics.fmean(xs), statistics.fmean(ys)
  squares = sum((x - mean_x) ** 2 for x in xs)
  products = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys))
  slope = products / squares
  intercept = mean_y - slope * mean_x
  residuals = [y - intercept - slope * x for x, y in zip(xs, ys)]
  variance = sum((y - mean_y) ** 2 for y in ys)
  return Line(
    slope=slope,
    intercept=intercept,
    r_squared=1 - sum(r * r for r in residuals) / variance if variance else 1,
    residual=max(map(abs, residuals)) / max(ys),
  )


def growth_points(
  results: Results, axis: str
) -> list[tuple[int, Spread, Spread]]:
  """Size, seconds, and megabytes at the peak, in the order of sizes."""
  sizes = sorted({row["size"] for row in results.rows("growth", axis=axis)})
  points = []
  for size in sizes:
    rows = results.rows("growth", axis=axis, size=size)
    points.append(
      (
        size,
        Spread.of([row["seconds"][TOTAL] for row in rows]),
        Spread.of([row["peak_bytes"] / MEGABYTE for row in rows]),
      )
    )
  return points


def growth_line(results: Results, axis: str, column: int = 1) -> Line:
  """Through the medians of seconds (column 1) or megabytes (2)."""
  points = growth_points(results, axis)
  return fit([p[0] for p in points], [p[column].median for p in points])
