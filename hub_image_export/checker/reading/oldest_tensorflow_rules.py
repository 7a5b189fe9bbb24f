# SPDX-License-Identifier: Apache-2.0
"""Whether TensorFlow 1.15 loads each variant, and what is to blame if not.

TensorFlow 1.15 is what the legacy pipelines run that the TF1 Hub format is
for. What it knows stands in `data/tensorflow_1_15.json`.
"""

from __future__ import annotations

import functools
import json
import pathlib
from typing import Any

from hub_image_export.checker.judged import (
  JudgedModule,
  JudgedVariant,
  dtype_name,
)
from hub_image_export.checker.report import Found, clean

_KNOWN = pathlib.Path(__file__).parents[2] / "data/tensorflow_1_15.json"
_MAX_BLAMED = 8
_LOOPS = frozenset({"While", "StatelessWhile"})
# No gradient goes through these, and none is asked for behind them.
_STOPS = frozenset(
  {"ArgMax", "Rank", "Shape", "ShapeN", "Size", "StopGradient"}
)


def check_portability(module: JudgedModule) -> Found:
  for variant in module.variants:
    place = variant.where()
    # The inference variant is fine-tuned where there is no other.
    blamed = _blamed(variant, variant is (module.train or module.main))
    if not blamed:
      text = "TensorFlow 1.15 knows all of its graph."
      yield "oldest-tensorflow", place, text
      continue
    version = clean(variant.tensorflow) or "of the author"
    more = len(blamed) - _MAX_BLAMED
    text = (
      f"Got, unknown to TensorFlow 1.15: {'; '.join(blamed[:_MAX_BLAMED])}"
      f"{f' and {more} more' if more > 0 else ''}. Known to load it: "
      f"TensorFlow {version}, which wrote it. Rewrite these parts where legacy "
      "pipelines are to use the module."
    )
    yield "oldest-tensorflow", place, text, "warning"


@functools.lru_cache(maxsize=1)
def _known_ops() -> dict[str, Any]:
  return json.loads(_KNOWN.read_text(encoding="utf-8"))["ops"]


def _blamed(variant: JudgedVariant, is_trained: bool) -> list[str]:
  """What TensorFlow 1.15 does not load, each once, with an example."""
  stripped = variant.meta_graph.meta_info_def.stripped_op_list.op
  defaults = {
    op.name: {a.name: a.default_value for a in op.attr} for op in stripped
  }
  found: dict[str, str] = {}
  for node in variant.graph.all_nodes():
    for text in _unknown(variant, node, defaults.get(node.op, {})):
      found.setdefault(text, node.name)
  blamed = sorted(found.items())
  if is_trained:
    blamed += sorted(_without_gradient(variant).items())
  return [f"{text} (at {name})" for text, name in blamed]


def _unknown(
  variant: JudgedVariant, node: Any, defaults: dict[str, Any]
) -> list[str]:
  op = _known_ops().get(node.op)
  if op is None:
    return [] if node.op in variant.graph.functions else [f"op {node.op}"]
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
  readers = variant.graph.readers(variant.behind_outputs)
  pending = [v for v in variant.trainable if v in variant.behind_outputs]
  between = set(pending)
  while pending:
    following = {
      name
      for name in readers.get(pending.pop(), ())
      if name not in between and variant.graph.op(name) not in _STOPS
    }
    between |= following
    pending += following
  found: dict[str, str] = {}
  for name in sorted(between.difference(variant.trainable)):
    for op in (variant.graph.op(name), *_loops(variant, name)):
      known = _known_ops().get(op)
      if known and not known.get("gradient"):
        found.setdefault(f"gradient of {op}", name)
  return found


def _loops(variant: JudgedVariant, name: str) -> list[str]:
  """The loops in what a node calls."""
  graph = variant.graph
  functions = graph.called(graph.nodes[name])
  ops = {n.op for f in functions for n in graph.functions[f].node_def}
  return sorted(ops & _LOOPS)
