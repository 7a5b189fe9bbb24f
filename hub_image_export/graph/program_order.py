# SPDX-License-Identifier: Apache-2.0
"""The order in which a source's program runs the ops of its graph.

Nodes stand in the order in which they were made, and a program that makes an
op where it stands runs it there. Edges come first: bodies of SavedModels are
not sorted, but carry the control edges of the program that they are from.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable

from hub_image_export.graph.graph_defs import data_inputs, is_ordered, node_of
from hub_image_export.tensorflow_api.protos import NodeDef

# Control flow of TensorFlow 1: what stands in a branch, or in a loop.
_OPENS = frozenset({"Switch", "RefSwitch", "Enter", "RefEnter"})
_CLOSES = frozenset({"Merge", "RefMerge", "Exit", "RefExit"})


def in_program_order(
  nodes: Iterable[NodeDef], last: Callable[[NodeDef], bool] | None = None
) -> list[NodeDef]:
  """The nodes sorted by data and control edges, else as they stand.

  Args:
    nodes: of a graph, or of the body of a function.
    last: picks nodes that wait until no other can come. A graph of TF1 has no
      order but that of edges, and what is not ordered behind an assignment
      sees the variable as it was.
  """
  nodes = list(nodes)
  if last is None and _is_sorted(nodes):
    return nodes
  index = {node.name: i for i, node in enumerate(nodes)}
  waits_for: list[int] = []
  users: list[list[int]] = [[] for _ in nodes]
  for i, node in enumerate(nodes):
    needed = {index[n] for n in map(node_of, node.input) if n in index}
    if node.op == "Merge":  # Closes a loop.
      needed = {j for j in needed if nodes[j].op != "NextIteration"}
    waits_for.append(len(needed))
    for j in needed:
      users[j].append(i)

  def entry(i: int) -> tuple[bool, int]:
    return last is not None and last(nodes[i]), i

  ready = [entry(i) for i, count in enumerate(waits_for) if not count]
  heapq.heapify(ready)
  ordered = []
  while ready:
    _, i = heapq.heappop(ready)
    ordered.append(nodes[i])
    for user in users[i]:
      waits_for[user] -= 1
      if not waits_for[user]:
        heapq.heappush(ready, entry(user))
  if len(ordered) < len(nodes):
    raise ValueError("the network's graph has a circle outside of any loop")
  return ordered


def _is_sorted(nodes: list[NodeDef]) -> bool:
  """Whether each stands behind all that it needs, as graphs are made."""
  missing = {node.name for node in nodes}
  for node in nodes:
    if not missing.isdisjoint(map(node_of, node.input)):
      return False
    missing.discard(node.name)
  return True


def in_branches(nodes: list[NodeDef]) -> set[str]:
  """Names of nodes within branches or loops of TensorFlow 1.

  Args:
    nodes: in program order.
  """
  if not any(node.op in _OPENS for node in nodes):
    return set()
  found: set[str] = set()
  entered: set[str] = set()
  for node in nodes:
    inputs = set(map(node_of, node.input))
    # Within a loop, values of the first round and of others merge.
    closes = node.op in _CLOSES and not inputs & entered
    if node.op in _OPENS or (not closes and inputs & found):
      found.add(node.name)
    if node.op in ("Enter", "RefEnter"):
      entered.add(node.name)
  return found


def drop_control_inputs(
  nodes: Iterable[NodeDef], kept: Iterable[str] = ()
) -> None:
  """Unties nodes from side effects, in place: outputs update nothing (F4).

  Args:
    nodes: of a graph, or of a function's body.
    kept: names of nodes that may be waited for: where a branch or a loop of
      TensorFlow 1 runs is told by its control edges.
  """
  for node in nodes:
    if is_ordered(node):
      controls = [n for n in node.input if n[0] == "^" and n[1:] in kept]
      node.input[:] = [*data_inputs(node), *controls]
