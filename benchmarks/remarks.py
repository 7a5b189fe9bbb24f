"""What stands in the way of the goals that are not reached, in numbers."""

from __future__ import annotations

import statistics

from benchmarks import figures
from benchmarks.figures import number
from benchmarks.results import Results

_NODES_OF_A_VARIABLE = 2
_PHASES = ("wrap", "spec", "write", "manifest", "other")


def of_export(results: Results) -> str:
  """How far the floor alone is from the goals, and where the rest goes."""
  models = results.names("export", "model")
  floors = [_ratio(results, model, "floor", "by_hand") for model in models]
  shares = {
    phase: statistics.median(
      _ratio(results, model, "ours", "ours", phase) for model in models
    )
    for phase in _PHASES
  }
  listed = ", ".join(f"`{k}` {v:.0%}" for k, v in shares.items())
  least = figures.geometric_mean(
    [
      floor + _ratio(results, model, "ours", "by_hand", "spec")
      for model, floor in zip(models, floors)
    ]
  )
  return (
    f"The floor alone takes {number(figures.geometric_mean(floors))} of the "
    f"time by hand ({', '.join(map(number, floors))}), and {number(least)} "
    "with `hub.create_module_spec` on top. Less would take to trace less: to "
    "infer what the source does when it trains from what it does otherwise, "
    "instead of asking it. Of ours, by phase, the median over the models: "
    f"{listed}. `wrap` is the floor's own tracing. `spec` is "
    "`hub.create_module_spec`: it imports every node of all variants into a "
    "graph, and exports that again, which takes "
    f"{number(_microseconds_per_node(results, models))} µs a node. `manifest` "
    "hashes all files. Where training does not differ from inference, by hand "
    "there is one variant; a package that is not told so has to find out: from "
    "the layers of a Keras model, where these are Keras' own and none can tell "
    "training from inference, otherwise by tracing both. Verification loads "
    "the module, which is work for Python, while the source computes three "
    "images, and runs them through the module then."
  )


def of_graphs(results: Results) -> str:
  """What our graphs consist of."""
  rows = [
    results.rows("export", model=model, way="ours")[0]
    for model in results.names("export", "model")
  ]
  share = statistics.median(
    _NODES_OF_A_VARIABLE * row["variables"] * row["variants"] / row["nodes"]
    for row in rows
  )
  return (
    f"Of our nodes, {share:.0%} (the median over the models) are variables and "
    "what reads them, two for each variable in each variant: TensorFlow 1.15 "
    "wants both. The others are the network as the source computes it: with "
    "Keras 3, a batch norm is seven ops, and 21 where it trains. By hand with "
    "Keras 2 there is one network more, which nothing uses."
  )


def _microseconds_per_node(results: Results, models: list[str]) -> float:
  """Of `hub.create_module_spec`, the median over the models."""
  return statistics.median(
    figures.seconds(results, "export", "spec", model=model, way="ours").median
    / results.rows("export", model=model, way="ours")[0]["nodes"]
    * 1e6
    for model in models
  )


def _ratio(
  results: Results, model: str, over: str, under: str, phase: str = "total"
) -> float:
  """Seconds of one way, or of a phase of it, over those of another."""
  return figures.ratio(
    figures.seconds(results, "export", phase, model=model, way=over),
    figures.seconds(results, "export", model=model, way=under),
  )
