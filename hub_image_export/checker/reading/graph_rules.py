# SPDX-License-Identifier: Apache-2.0
"""What a module's graph may do, and where (F5)."""

from __future__ import annotations

import graphlib
import re
from collections.abc import Iterator
from typing import Any

from hub_image_export import contract
from hub_image_export.checker.judged import JudgedModule, JudgedVariant
from hub_image_export.checker.report import Found
from hub_image_export.untrusted.graph import Graph, node_name
from hub_image_export.untrusted.op_effects import is_known, reaches_out

_FILE_TABLES = ("InitializeTableFromTextFile", "InitializeTableFromTextFileV2")
# Every machine has a CPU.
_ANYWHERE = re.compile(r"|/?(device:)?cpu:(0|\*)", re.IGNORECASE)
_ABSOLUTE = re.compile(
  rb"(file|gs|s3|hdfs|https?)://|/[^/\s]+/[^/\s]+/|[A-Za-z]:\\"
)


def check_hermetic(module: JudgedModule) -> Found:
  for variant in module.variants:
    yield from _check_ops(variant)
    yield from _check_collections(variant)
    yield from _check_paths(variant)
    yield from check_devices(variant.graph, variant.where())
    yield from _check_cycles(variant)


def _check_ops(variant: JudgedVariant) -> Found:
  unused = variant.graph.nodes.keys() - variant.needed
  for node, in_function in _nodes(variant):
    place = variant.where(node.name)
    dead = not in_function and node.name in unused
    advice = " Nothing needs it; leave it out." if dead else ""
    if _is_unknown(variant, node):
      text = (
        f"Got the op {node.op}, which TensorFlow does not have; expected its "
        f"own ops alone.{advice}"
      )
      yield "unloadable", place, text
    elif _may_reach_out(variant, node):
      text = (
        f"Got the op {node.op}, which may use files, processes or Python; "
        f"expected computation alone. Replace it.{advice}"
      )
      severity = "warning" if dead else "error"
      yield "not-hermetic", place, text, severity


def may_reach_out(module: JudgedModule) -> bool:
  """Whether an op could, be it one that nothing seems to need.

  Reading a variable, or the gradient of a loop, runs nodes that stand in no
  signature; the proto of the variable or the loop names them.
  """
  return any(
    _may_reach_out(variant, node)
    for variant in module.variants
    for node in variant.graph.all_nodes()
  )


def _nodes(variant: JudgedVariant) -> Iterator[tuple[Any, bool]]:
  """All nodes, and whether they stand in a function."""
  graph_def = variant.meta_graph.graph_def
  yield from ((node, False) for node in graph_def.node)
  for function in graph_def.library.function:
    yield from ((node, True) for node in function.node_def)


def _is_unknown(variant: JudgedVariant, node: Any) -> bool:
  return not is_known(node.op) and node.op not in variant.graph.functions


def _may_reach_out(variant: JudgedVariant, node: Any) -> bool:
  if node.op not in _FILE_TABLES:
    return reaches_out(node)
  # Tables may be read from the module's own files.
  files = map(variant.graph.behind_forwarding, node.input[1:2])
  return not any(node_name(file) in variant.asset_nodes for file in files)


def _check_collections(variant: JudgedVariant) -> Found:
  known = contract.SUPPORTED_COLLECTIONS | {"saved_model_assets"}
  text = (
    "tensorflow_hub refuses to load a graph with this collection. Drop it "
    "before exporting."
  )
  for name in sorted(variant.meta_graph.collection_def.keys() - known):
    yield "refused-collection", variant.where(name), text


def _check_paths(variant: JudgedVariant) -> Found:
  """Scalar strings that look like a path on the author's machine."""
  suspects = variant.needed - variant.asset_nodes
  for name, node in variant.graph.nodes.items():
    if node.op != "Const" or name not in suspects:
      continue
    values = node.attr["value"].tensor.string_val
    if len(values) == 1 and _ABSOLUTE.match(values[0]):
      text = (
        f"Got the string {values[0][:100]!r}, which looks like a path; "
        "expected none. Export the file as an asset."
      )
      place = variant.where(name)
      yield "not-hermetic", place, text, "warning"


def check_devices(graph: Graph, place: str) -> Found:
  devices = {node.device for node in graph.all_nodes()}
  elsewhere = sorted(d for d in devices if not _ANYWHERE.fullmatch(d))
  if elsewhere:
    text = (
      f"Got nodes placed on {elsewhere[:5]}; expected none, so that the module "
      "runs on any machine. Clear the devices."
    )
    yield "device-pinned", place, text


def _check_cycles(variant: JudgedVariant) -> Found:
  """Only a loop's NextIteration may close a cycle."""
  graph = variant.graph
  sorter: graphlib.TopologicalSorter[str] = graphlib.TopologicalSorter()
  for name in graph.nodes:
    known = [s for s in graph.inputs(name) if s in graph.nodes]
    sorter.add(name, *(s for s in known if "NextIteration" not in graph.op(s)))
  try:
    sorter.prepare()
  except graphlib.CycleError:
    stuck = set(graph.nodes)
    while ready := sorter.get_ready():
      sorter.done(*ready)
      stuck -= set(ready)
    text = (
      f"{len(stuck)} nodes wait for each other in a cycle; expected a graph "
      "without one. Export again."
    )
    yield "unloadable", variant.where(min(stuck)), text
