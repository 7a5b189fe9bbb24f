# SPDX-License-Identifier: Apache-2.0
"""Whether TensorFlow 1.15 loads each variant, and what is to blame if not.

TensorFlow 1.15 is what the legacy pipelines run that the TF1 Hub format is
for. What it knows stands in `data/tensorflow_1_15.json`.
"""

from __future__ import annotations

import functools
import json
import pathlib
from collections.abc import Iterable
from typing import Any

from hub_image_export.checker.judged import JudgedModule, JudgedVariant
from hub_image_export.checker.reading.saved_objects import (
  ReusableModule,
  SavedObjects,
  Trace,
  callables,
)
from hub_image_export.checker.report import Found, clean
from hub_image_export.checker.shapes import dtype_name
from hub_image_export.untrusted.graph import (
  Graph,
  body,
  function_names,
  node_name,
)

_KNOWN = pathlib.Path(__file__).parents[2] / "data/tensorflow_1_15.json"
_MAX_BLAMED = 8
_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
_LOOPS = frozenset({"While", "StatelessWhile"})
# No gradient goes through these, and none is asked for behind them.
_STOPS = frozenset(
  {"ArgMax", "Rank", "Shape", "ShapeN", "Size", "StopGradient"}
)


def check_portability(module: JudgedModule) -> Found:
  for variant in module.variants:
    # The inference variant is fine-tuned where there is no other.
    blamed = _blamed(variant, variant is (module.train or module.main))
    yield from _told(blamed, variant.tensorflow, variant.where(), "warning")


def check_object_portability(module: ReusableModule) -> Found:
  """The format is TensorFlow 2's own, and nothing to warn of is older.

  `tf.saved_model.load` of TensorFlow 1.15 imports all functions, and nothing
  of the graph that they stand beside.
  """
  objects = module.objects
  nodes = (n for f in objects.graph.functions.values() for n in f.node_def)
  found = _unknown_parts(objects.graph, nodes, {})
  without: dict[str, str] = {}
  for judged in callables(objects):
    for trace in judged.call.traces if judged.call else ():
      without.update(_trace_without_gradient(objects, trace))
  blamed = _with_places(found) + _with_places(without)
  version = objects.meta_graph.meta_info_def.tensorflow_version
  yield from _told(blamed, version, "", "info")


def _told(blamed: list[str], version: str, place: str, severity: str) -> Found:
  if not blamed:
    text = "TensorFlow 1.15 knows all of its graph."
    yield "oldest-tensorflow", place, text
    return
  more = len(blamed) - _MAX_BLAMED
  text = (
    f"Got, unknown to TensorFlow 1.15: {'; '.join(blamed[:_MAX_BLAMED])}"
    f"{f' and {more} more' if more > 0 else ''}. Known to load it: "
    f"TensorFlow {clean(version) or 'of the author'}, which wrote it. Rewrite "
    "these parts where legacy pipelines are to use the module."
  )
  yield "oldest-tensorflow", place, text, severity


@functools.lru_cache(maxsize=1)
def _known_ops() -> dict[str, Any]:
  return json.loads(_KNOWN.read_text(encoding="utf-8"))["ops"]


def _blamed(variant: JudgedVariant, is_trained: bool) -> list[str]:
  """What TensorFlow 1.15 does not load, each once, with an example."""
  stripped = variant.meta_graph.meta_info_def.stripped_op_list.op
  defaults = {
    op.name: {a.name: a.default_value for a in op.attr} for op in stripped
  }
  blamed = _unknown_parts(variant.graph, variant.graph.all_nodes(), defaults)
  return _with_places(blamed) + (
    _with_places(_without_gradient(variant)) if is_trained else []
  )


def _with_places(found: dict[str, str]) -> list[str]:
  return [f"{text} (at {name})" for text, name in sorted(found.items())]


def _unknown_parts(
  graph: Graph, nodes: Iterable[Any], defaults: dict[str, dict[str, Any]]
) -> dict[str, str]:
  """Each once, with the name of a node that has it."""
  found: dict[str, str] = {}
  for node in nodes:
    for text in _unknown(graph, node, defaults.get(node.op, {})):
      found.setdefault(text, node.name)
  return found


def _unknown(graph: Graph, node: Any, defaults: dict[str, Any]) -> list[str]:
  op = _known_ops().get(node.op)
  if op is None:
    return [] if node.op in graph.functions else [f"op {node.op}"]
  found = []
  for name, value in node.attr.items():
    if name.startswith("_"):
      continue
    if name not in op["attrs"]:
      # The importer drops what has the value that the author's op definition
      # gives by default.
      if name not in defaults or value != defaults[name]:
        found.append(f"attribute {name} of {node.op}")
    elif op["attrs"][name] is not None:
      text = _text_of(value)
      if text is not None and text not in op["attrs"][name]:
        found.append(f"{name}={text} of {node.op}")
  for name in op.get("required", ()):
    if name not in node.attr:
      found.append(f"{node.op} without {name}")
  return found


def _text_of(value: Any) -> str | None:
  """The value of an attribute as the data file spells it."""
  kind = value.WhichOneof("value")
  if kind == "type":
    name = dtype_name(value.type)
    return {"float32": "float", "float64": "double", "float16": "half"}.get(
      name, name
    )
  return value.s.decode("utf-8", "replace") if kind == "s" else None


def _without_gradient(variant: JudgedVariant) -> dict[str, str]:
  """Ops between weights and outputs that TF 1.15 cannot differentiate."""
  graph, weights = variant.graph, set(variant.trainable)
  found: dict[str, str] = {}
  for name in sorted(_between(graph, weights, variant.output_tensors)):
    functions = {f: graph.functions[f] for f in graph.called(graph.nodes[name])}
    found = _lacking(graph.nodes[name], functions) | found
  return found


def _trace_without_gradient(
  objects: SavedObjects, trace: Trace
) -> dict[str, str]:
  """The same of a call, within the functions that it calls."""
  library = objects.graph
  if trace.name not in library.functions:
    return {}
  # It differentiates functions by all that they take, images included.
  count = len(library.functions[trace.name].signature.input_arg)
  pending, seen = [(trace.name, frozenset(range(count)))], set()
  found: dict[str, str] = {}
  while pending:
    place = pending.pop()
    if place in seen or place[0] not in library.functions:
      continue
    seen.add(place)
    function = library.functions[place[0]]
    inner = body(function)
    given = {function.signature.input_arg[i].name for i in place[1]}
    between = _between(inner, given, function.ret.values())
    for name in sorted(between):
      node = inner.nodes[name]
      if node.op in _CALLS:
        after = {
          i for i, t in enumerate(node.input) if node_name(t) in between | given
        }
        pending += [(f, frozenset(after)) for f in function_names(node)]
      else:
        called = {f: library.functions[f] for f in library.called(node)}
        found = _lacking(node, called) | found
  return found


def _between(graph: Graph, given: set[str], results: Iterable[str]) -> set[str]:
  """What values go through on their ways from nodes `given` to `results`."""
  behind: set[str] = set()
  sources = list(map(node_name, results))
  while sources:
    name = sources.pop()
    if name not in behind:
      behind.add(name)
      sources += map(node_name, graph.data_inputs(name))
  readers = graph.readers(behind)
  pending = sorted(given & behind)
  found = set(pending)
  while pending:
    following = {
      name
      for name in readers.get(pending.pop(), ())
      if name not in found and graph.op(name) not in _STOPS
    }
    found |= following
    pending += following
  return found - given


def _lacking(node: Any, called: dict[str, Any]) -> dict[str, str]:
  """The gradients that TF 1.15 lacks, of a node and of loops that it calls."""
  inner = {n.op for function in called.values() for n in function.node_def}
  ops = [node.op, *sorted(inner & _LOOPS)]
  known = {op: _known_ops().get(op) for op in ops}
  return {
    f"gradient of {op}": node.name
    for op, entry in known.items()
    if entry and not entry.get("gradient")
  }
