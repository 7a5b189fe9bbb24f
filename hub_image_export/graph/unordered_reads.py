# SPDX-License-Identifier: Apache-2.0
"""One order for what a graph of TF1 leaves open: reads come before writes.

What no edge orders after an assignment sees, as a rule, the value of before;
but in one run it may happen to see the one after. Updates of a layer that is
called twice race like that.
"""

from __future__ import annotations

import collections
from collections.abc import Collection

from hub_image_export.graph.graph_defs import node_of
from hub_image_export.graph.state_ops import READS, READS_OR_WRITES, WRITES
from hub_image_export.tensorflow_api.protos import GraphDef, NodeDef


def read_before_writes(graph_def: GraphDef, names: Collection[str]) -> int:
  """Adds these edges between nodes of these names, in place.

  Variables are resources.

  Returns:
    The number of edges.
  """
  count = 0
  consumers = collections.defaultdict(list)
  by_variable: dict[str, list[NodeDef]] = collections.defaultdict(list)
  for node in graph_def.node:
    for name in node.input:
      consumers[node_of(name.lstrip("^"))].append(node.name)
    if node.name in names and node.op in READS_OR_WRITES:
      by_variable[node.input[0]].append(node)
  for nodes in by_variable.values():
    reads = [node.name for node in nodes if node.op in READS]
    for write in (node for node in nodes if node.op in WRITES):
      after = _after(write.name, consumers)
      before = [read for read in reads if read not in after]
      write.input.extend(f"^{read}" for read in before)
      for read in before:
        consumers[read].append(write.name)
      count += len(before)
  return count


def _after(name: str, consumers: dict[str, list[str]]) -> set[str]:
  """What runs after a node, and the node."""
  found, pending = {name}, [name]
  while pending:
    for other in consumers.get(pending.pop(), ()):
      if other not in found:
        found.add(other)
        pending.append(other)
  return found
