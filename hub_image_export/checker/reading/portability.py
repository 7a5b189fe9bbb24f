"""Whether TensorFlow 1.15 loads each variant, and what is to blame if not.

TensorFlow 1.15 is what the legacy pipelines run that the TF1 Hub format is
for. What it knows stands in `data/tensorflow_1_15.json`.
"""

from __future__ import annotations

import functools
import json
import pathlib
from typing import Any

from hub_image_export import contract
from hub_image_export.checker.module import Module, Variant, dtype_name
from hub_image_export.checker.report import Findings, clean
from hub_image_export.untrusted.graph import node_name

_KNOWN = pathlib.Path(__file__).parents[2] / "data/tensorflow_1_15.json"
_MAX_BLAMED = 8


def check_portability(module: Module, findings: Findings) -> None:
  for variant in module.variants:
    blamed = blame(variant)
    place = variant.where()
    if not blamed:
      findings.add(
        "oldest-tensorflow", place, "TensorFlow 1.15 knows all of its graph."
      )
      continue
    version = clean(variant.meta_graph.meta_info_def.tensorflow_version)
    more = len(blamed) - _MAX_BLAMED
    findings.add(
      "oldest-tensorflow",
      place,
      f"Got, unknown to TensorFlow 1.15: {'; '.join(blamed[:_MAX_BLAMED])}"
      f"{f' and {more} more' if more > 0 else ''}. Known to load it: "
      f"TensorFlow {version or 'of the author'}, which wrote it. Rewrite these "
      "parts where legacy pipelines are to use the module.",
      severity="warning",
    )


@functools.lru_cache(maxsize=1)
def _known_ops() -> dict[str, Any]:
  return json.loads(_KNOWN.read_text(encoding="utf-8"))["ops"]


def blame(variant: Variant) -> list[str]:
  """What TensorFlow 1.15 does not load, each once, with an example."""
  stripped = variant.meta_graph.meta_info_def.stripped_op_list.op
  defaults = {
    op.name: {a.name: a.default_value for a in op.attr} for op in stripped
  }
  found: dict[str, str] = {}
  for node in variant.graph.all_nodes():
    for text in _unknown(variant, node, defaults.get(node.op, {})):
      found.setdefault(text, node.name)
  texts = [f"{text} (at {name})" for text, name in sorted(found.items())]
  if variant.tags == contract.TRAIN_TAGS:
    texts += _without_gradient(variant)
  return texts


def _unknown(
  variant: Variant, node: Any, defaults: dict[str, Any]
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
      shown = _shown(value)
      if shown is not None and shown not in op["attrs"][name]:
        found.append(f"{name}={shown} of {node.op}")
  for name in op.get("required", ()):
    if name not in node.attr:
      found.append(f"{node.op} without {name}")
  return found


def _shown(value: Any) -> str | None:
  """The value of an attribute as the data file spells it."""
  kind = value.WhichOneof("value")
  if kind == "type":
    name = dtype_name(value.type)
    return {"float32": "float", "float64": "double", "float16": "half"}.get(
      name, name
    )
  return value.s.decode("utf-8", "replace") if kind == "s" else None


def _without_gradient(variant: Variant) -> list[str]:
  """Ops between weights and outputs that TF 1.15 cannot differentiate."""
  graph = variant.graph
  reached = graph.ancestors(variant.output_tensors())
  readers: dict[str, list[str]] = {}
  for name in reached:
    for tensor in graph.data_inputs(name):
      readers.setdefault(node_name(tensor), []).append(name)
  pending = [name for name in variant.trainable if name in reached]
  seen, found = set(pending), {}
  while pending:
    for reader in readers.get(pending.pop(), ()):
      if reader in seen:
        continue
      seen.add(reader)
      pending.append(reader)
      op = graph.op(reader)
      if op in _known_ops() and not _known_ops()[op].get("gradient"):
        found.setdefault(op, reader)
  return [f"gradient of {op} (at {name})" for op, name in sorted(found.items())]
