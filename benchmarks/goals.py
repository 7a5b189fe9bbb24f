"""What was to be reached, and whether it was."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from benchmarks import figures, startup
from benchmarks.figures import Spread, number
from benchmarks.results import Results

_MODELS = "model"
# Peak memory above the model: so many times the weights, and so many MB.
PEAK_FACTOR = 1.3
PEAK_MEGABYTES = 64
_LINEAR = 0.99

# The name, the limit in words, what was measured in words, whether it is met.
Goal = tuple[str, str, str, bool]


def goals(results: Results) -> Iterator[Goal]:
  """Those for which there are measurements."""
  if "export" in results.tables:
    yield from _export(results)
  if "throughput" in results.tables:
    yield from _throughput(results)
  if "growth" in results.tables:
    yield from _growth(results)
  if "startup" in results.tables:
    yield from _startup(results)


def _export(results: Results) -> Iterator[Goal]:
  def seconds(model: str, way: str) -> Spread | None:
    return figures.seconds(results, "export", model=model, way=way)

  def graph(model: str, way: str) -> Spread | None:
    return figures.megabytes(
      results, "export", "graph_bytes", model=model, way=way
    )

  names = results.names("export", _MODELS)
  for name, value, over, under, limit in (
    ("ours / by hand, seconds", seconds, "ours", "by_hand", 0.15),
    ("ours / floor, seconds", seconds, "ours", "floor", 1.5),
    ("verified / by hand, seconds", seconds, "verified", "by_hand", 0.5),
    ("`saved_model.pb`, ours / by hand", graph, "ours", "by_hand", 0.35),
  ):
    ratios = [
      figures.ratio(value(model, over), value(model, under)) for model in names
    ]
    yield _mean(name, limit, ratios)
  yield _peak(results)


def _mean(name: str, limit: float, ratios: list[float]) -> Goal:
  mean = figures.geometric_mean(ratios)
  return (
    f"{name}, geometric mean over the models",
    f"at most {limit}",
    f"{number(mean)} ({', '.join(map(number, ratios))})",
    mean <= limit,
  )


def _peak(results: Results) -> Goal:
  excess = {}
  for model in results.names("export", _MODELS):
    rows = results.rows("export", model=model, way="ours")
    peaks = [
      row["peak_bytes"] - PEAK_FACTOR * row["weights_bytes"] for row in rows
    ]
    excess[model] = statistics.median(peaks) / figures.MEGABYTE
  worst = max(excess, key=excess.get)
  return (
    f"peak memory above the model, less {PEAK_FACTOR} × the weights, each "
    "model",
    f"at most {PEAK_MEGABYTES} MB",
    f"{number(excess[worst])} MB ({worst})",
    excess[worst] <= PEAK_MEGABYTES,
  )


def _throughput(results: Results) -> Iterator[Goal]:
  ratios = {
    row["model"]: figures.relative_rates(row, "ours").median
    for row in results.rows("throughput")
  }
  worst = min(ratios, key=ratios.get)
  name = "images per second, module / source"
  yield (
    f"{name}, each model",
    "at least 0.95",
    f"{number(ratios[worst])} ({worst})",
    ratios[worst] >= 0.95,
  )
  median = statistics.median(ratios.values())
  yield (
    f"{name}, median of the models",
    "at least 1.0",
    number(median),
    median >= 1.0,
  )


def _growth(results: Results) -> Iterator[Goal]:
  per_unit = {
    "variables": ("the number of variables", 1e3, "ms per variable"),
    "bytes": ("the bytes of weights", 1e9, "s per GB"),
  }
  for axis, (name, scale, unit) in per_unit.items():
    line = figures.growth_line(results, axis)
    yield (
      f"seconds grow with {name}",
      f"linear (R² at least {_LINEAR})",
      f"R² {line.r_squared:.4f}, {number(line.slope * scale)} {unit}",
      line.r_squared >= _LINEAR,
    )


def _startup(results: Results) -> Iterator[Goal]:
  def median(what: str) -> float:
    rows = results.rows("startup", what=what)
    return statistics.median(row["seconds"] for row in rows)

  ratio = median(startup.EVERYTHING) / median(startup.BASELINE)
  yield (
    f"import of {startup.EVERYTHING} / of {startup.BASELINE}",
    "at most 1.05",
    number(ratio),
    ratio <= 1.05,
  )
  seconds = median(startup.HELP)
  yield (
    f"`{startup.HELP}`",
    "at most 0.3 s",
    f"{number(seconds)} s",
    seconds <= 0.3,
  )
