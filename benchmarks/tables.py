"""The tables of docs/benchmarks.md, one function for each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks import figures, goals
from benchmarks.figures import Spread, number
from benchmarks.results import Results

_NONE = "–"
_WAYS = {
  "floor": "floor",
  "ours": "ours",
  "verified": "ours, verified (default)",
  "checked": "ours, checked too",
  "by_hand": "by hand",
}


def markdown(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
  """A table; None is a dash, numbers have three digits."""
  lines = [header, ["---"] * len(header), *rows]
  return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(value: Any) -> str:
  if value is None:
    return _NONE
  return number(value) if isinstance(value, float) else str(value)


def of_goals(results: Results) -> str:
  return markdown(
    ["", "goal", "measured", "reached"],
    [
      (name, limit, measured, "yes" if reached else "**no**")
      for name, limit, measured, reached in goals.goals(results)
    ],
  )


def export_seconds(results: Results) -> str:
  """Totals of all ways, and their ratios."""
  rows = []
  for model in results.names("export", "model"):
    spreads = {
      way: figures.seconds(results, "export", model=model, way=way)
      for way in _WAYS
    }
    ratios = [
      figures.ratio(spreads["ours"], spreads["by_hand"]),
      figures.ratio(spreads["ours"], spreads["floor"]),
      figures.ratio(spreads["verified"], spreads["by_hand"]),
    ]
    rows.append([model, *spreads.values(), *ratios])
  header = ["model", *_WAYS.values()]
  header += ["ours / by hand", "ours / floor", "verified / by hand"]
  return markdown(header, rows)


def phases(results: Results, ways: Sequence[str]) -> str:
  """Median seconds by phase: each phase from the first way that has it."""
  names: dict[str, str] = {}
  for way in ways:
    for row in results.rows("export", way=way):
      for phase in row["seconds"]:
        names.setdefault(phase, way)
  names.pop("total", None)
  rows = []
  for model in results.names("export", "model"):
    spreads = [
      figures.seconds(results, "export", phase, model=model, way=way)
      for phase, way in names.items()
    ]
    rows.append([model, *(spread and spread.median for spread in spreads)])
  return markdown(["model", *names], rows)


def memory(results: Results) -> str:
  """Peaks above the model, in MB."""
  rows = []
  for model in results.names("export", "model"):
    found = results.rows("export", model=model)[0]
    weights = found["weights_bytes"] / figures.MEGABYTE
    allowed = goals.PEAK_FACTOR * weights + goals.PEAK_MEGABYTES
    peaks = [
      figures.megabytes(results, "export", "peak_bytes", model=model, way=way)
      for way in _WAYS
    ]
    rows.append([model, found["variables"], weights, allowed, *peaks])
  header = ["model", "variables", "weights", "goal for ours", *_WAYS.values()]
  return markdown(header, rows)


def graphs(results: Results) -> str:
  """Bytes of saved_model.pb and its nodes, ours and by hand."""
  rows = []
  for model in results.names("export", "model"):
    ours, by_hand = (
      results.rows("export", model=model, way=way)[0]
      for way in ("ours", "by_hand")
    )
    sizes = [row["graph_bytes"] / figures.MEGABYTE for row in (ours, by_hand)]
    nodes = [row["nodes"] for row in (ours, by_hand)]
    rows.append([model, ours["variants"], *sizes, sizes[0] / sizes[1], *nodes])
  return markdown(
    [
      "model", "variants", "ours, MB", "by hand, MB", "ours / by hand",
      "ours, nodes", "by hand, nodes",
    ],
    rows,
  )  # fmt: skip


def load(results: Results) -> str:
  rows = []
  for model in results.names("load", "model"):
    row: list[Any] = [model]
    for phase in ("hub.Module", "initialize"):
      for way in ("ours", "by_hand"):
        row.append(
          figures.seconds(results, "load", phase, model=model, way=way)
        )
    for way in ("ours", "by_hand"):
      row.append(
        figures.megabytes(results, "load", "peak_bytes", model=model, way=way)
      )
    rows.append(row)
  return markdown(
    [
      "model", "`hub.Module`, ours, s", "by hand", "initialize, ours, s",
      "by hand", "peak, ours, MB", "by hand",
    ],
    rows,
  )  # fmt: skip


def throughput(results: Results) -> str:
  rows = []
  for row in results.rows("throughput"):
    source = Spread.of(row["images_per_second"]["source"])
    ratios = [
      figures.relative_rates(row, name)
      for name in ("ours", "ours_tf2", "by_hand")
    ]
    difference = f"{row['largest_difference']:.1g}"
    rows.append([row["model"], row["batch"], source, *ratios, difference])
  return markdown(
    [
      "model", "batch", "source, images/s", "module / source",
      "by `hub.load` / source", "by hand / source", "largest difference",
    ],
    rows,
  )  # fmt: skip


def growth(results: Results, axis: str) -> str:
  points = figures.growth_points(results, axis)
  return markdown(
    [axis, "seconds", "peak above the network, MB"],
    [(f"{size:,}", seconds, peak) for size, seconds, peak in points],
  )


def growth_lines(results: Results, axis: str, unit: float, name: str) -> str:
  """Both straight lines of an axis; `unit` is how many make one `name`."""
  rows = []
  for column, what in ((1, "seconds"), (2, "MB")):
    line = figures.growth_line(results, axis, column)
    slope = f"{number(line.slope * unit)} per {name}"
    rows.append(
      [what, slope, line.intercept, f"{line.r_squared:.4f}", line.residual]
    )
  header = [
    "of",
    "slope",
    "intercept",
    "R²",
    "largest residual / largest value",
  ]
  return markdown(header, rows)


def start_up(results: Results) -> str:
  rows = []
  for what in results.names("startup", "what"):
    rows.append([what, _seconds(results, "startup", what=what)])
  return markdown(["", "seconds"], rows)


def depth(results: Results) -> str:
  rows = []
  for calls in results.names("depth", "depth"):
    spreads = [
      _seconds(results, "depth", depth=calls, way=way)
      for way in ("plain", "ours")
    ]
    rows.append([calls, *spreads, figures.ratio(*reversed(spreads))])
  return markdown(
    [
      "calls above", "`wrap_function` alone, s", "ours, s", "ours / alone",
    ],
    rows,
  )  # fmt: skip


def _seconds(results: Results, table: str, **values: Any) -> Spread:
  """Of rows that are not divided into phases."""
  return Spread.of([row["seconds"] for row in results.rows(table, **values)])
