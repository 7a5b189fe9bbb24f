# SPDX-License-Identifier: Apache-2.0
"""What was to be reached, and whether it was, by the rows of a run.

Numbers are medians over rounds. Ratios of models are summed up by their
geometric mean.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from benchmarks import startup, whole
from benchmarks.measure import TOTAL

Row = dict[str, Any]
Tables = dict[str, list[Row]]
# The name, what was measured, the limit, and whether that is the least.
Goal = tuple[str, float, float, bool]

# Peak memory above the model: so many times the weights, and so many MB.
_PEAK_FACTOR, _PEAK_MEGABYTES = 1.3, 64


def goals(tables: Tables) -> Iterator[Goal]:
  """Those for which there are measurements."""
  for table, of_table in _GOALS.items():
    if table in tables:
      yield from of_table(tables[table])


def line(goal: Goal) -> str:
  """A goal in words."""
  name, measured, limit, least = goal
  met = measured >= limit if least else measured <= limit
  words = "at least" if least else "at most"
  return (
    f"{'reached    ' if met else 'NOT REACHED'} {name}: {measured:.3g}, "
    f"{words} {limit:g}"
  )


def ratios(
  rows: list[Row], key: str, over: str, under: str
) -> dict[str, float]:
  """Of the medians of two ways to export, by model; `key` as in `_value`."""
  return {
    model: _median(rows, key, model=model, way=over)
    / _median(rows, key, model=model, way=under)
    for model in _models(rows)
  }


def r_squared(xs: Sequence[float], ys: Sequence[float]) -> float:
  """The share of the variance of y that the best straight line explains."""
  return statistics.correlation(xs, ys) ** 2


def _export(rows: list[Row]) -> Iterator[Goal]:
  for over, under, key, limit in (
    ("ours", "by_hand", "seconds", 0.15),
    ("ours", "floor", "seconds", 1.5),
    ("verified", "by_hand", "seconds", 0.5),
    ("checked", "verified", "seconds", 1.6),
    ("ours", "by_hand", "graph_bytes", 0.35),
  ):
    if not {over, under} <= {row["way"] for row in rows}:
      continue
    found = ratios(rows, key, over, under)
    mean = statistics.geometric_mean(found.values())
    each = ", ".join(f"{model} {ratio:.3g}" for model, ratio in found.items())
    yield f"{over} / {under}, {key} ({each})", mean, limit, False
  for model in _models(row for row in rows if row["way"] == "ours"):
    peak, weights = (
      _median(rows, key, model=model, way="ours") / 1e6
      for key in ("peak_bytes", "weights_bytes")
    )
    name = f"MB at the peak, less {_PEAK_FACTOR} × the weights, {model}"
    yield name, peak - _PEAK_FACTOR * weights, _PEAK_MEGABYTES, False


def _throughput(rows: list[Row]) -> Iterator[Goal]:
  found = {}
  for row in rows:
    rates = row["images_per_second"]
    pairs = zip(rates["ours"], rates["source"])
    found[row["model"]] = statistics.median(a / b for a, b in pairs)
  name = "images per second, module / source"
  for model, ratio in found.items():
    yield f"{name}, {model}", ratio, 0.95, True
  yield f"{name}, median", statistics.median(found.values()), 1.0, True


def _growth(rows: list[Row]) -> Iterator[Goal]:
  for axis in dict.fromkeys(row["axis"] for row in rows):
    sizes = sorted({row["size"] for row in rows if row["axis"] == axis})
    seconds = [_median(rows, "seconds", axis=axis, size=s) for s in sizes]
    slope, _ = statistics.linear_regression(sizes, seconds)
    name = f"R² of seconds by {axis}, {slope:.3g} s each"
    yield name, r_squared(sizes, seconds), 0.99, True


def _startup(rows: list[Row]) -> Iterator[Goal]:
  everything, baseline, of_help = (
    _median(rows, "seconds", what=what)
    for what in (startup.EVERYTHING, startup.BASELINE, startup.HELP)
  )
  name = f"{startup.EVERYTHING} / {startup.BASELINE}"
  yield name, everything / baseline, 1.05, False
  yield f"seconds of {startup.HELP}", of_help, 0.3, False


def _whole(rows: list[Row]) -> Iterator[Goal]:
  for over, under, limit in (
    (whole.CHECK, startup.BASELINE, 1.6),
    (whole.EXPORT, whole.EXPORT_KERAS, 1.1),
    (whole.CHECK_MANY, whole.CHECK_ONE, 6.0),
  ):
    for key in ("seconds", "cpu"):
      ratio = _median(rows, key, what=over) / _median(rows, key, what=under)
      yield f"{over} / {under}, whole processes, {key}", ratio, limit, False


_GOALS: dict[str, Callable[[list[Row]], Iterator[Goal]]] = {
  "export": _export,
  "throughput": _throughput,
  "growth": _growth,
  "startup": _startup,
  "whole": _whole,
}


def _models(rows: Iterable[Row]) -> list[str]:
  return list(dict.fromkeys(row["model"] for row in rows))


def _median(rows: list[Row], key: str, **values: object) -> float:
  """Of the rows with these values; of phases, the total counts."""
  found = [
    row[key] for row in rows if all(row[k] == v for k, v in values.items())
  ]
  return statistics.median(
    value[TOTAL] if isinstance(value, dict) else value for value in found
  )
