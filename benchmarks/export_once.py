# SPDX-License-Identifier: Apache-2.0
"""Exports one model in one way, and tells what that took.

  python -m benchmarks.export_once --model=MobileNetV2 --way=ours --path=PATH

Seconds count from when the model is ready; memory is what the process had at
its peak above what it held then. The module stays at PATH.
"""

from __future__ import annotations

import argparse
import pathlib

from benchmarks import measure, models, ways
from hub_image_export.tensorflow_api.protos import SavedModel

_MODEL_FILE = "saved_model.pb"


def run(model_name: str, way: str, path: str) -> dict:
  case = models.CASES[model_name]
  model = case.build()
  weights = models.weights_bytes(model)
  memory = measure.Memory()
  phases = measure.Phases()
  ways.WAYS[way](model, case, path, phases)
  seconds = phases.finish()
  return {
    "model": model_name,
    "way": way,
    "seconds": seconds,
    "peak_bytes": memory.peak(),
    "resident_bytes": memory.resident,
    "weights_bytes": weights,
    "variables": len(model.weights),
    **_graph_size(pathlib.Path(path) / _MODEL_FILE),
  }


def _graph_size(file: pathlib.Path) -> dict[str, int]:
  """Bytes of saved_model.pb, nodes in all its graphs, and their number."""
  if not file.exists():
    return {}
  data = file.read_bytes()
  graphs = [
    meta_graph.graph_def
    for meta_graph in SavedModel.FromString(data).meta_graphs
  ]
  nodes = sum(
    len(graph.node) + sum(len(f.node_def) for f in graph.library.function)
    for graph in graphs
  )
  return {"graph_bytes": len(data), "nodes": nodes, "variants": len(graphs)}


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--model", choices=models.CASES, required=True)
  parser.add_argument("--way", choices=ways.WAYS, required=True)
  parser.add_argument("--path", required=True)
  flags = parser.parse_args()
  measure.tell(run(flags.model, flags.way, flags.path))


if __name__ == "__main__":
  main()
