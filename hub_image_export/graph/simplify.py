# SPDX-License-Identifier: Apache-2.0
"""Nodes that a module does without: second copies, and those that only hand on.

Layers bring a constant each for the same axis or the same number, and pass
values on through identities. Each node costs time wherever a graph is read, by
`hub.create_module_spec` first and by every consumer after it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from hub_image_export.graph.graph_defs import (
  canonical,
  fingerprints,
  is_ordered,
  node_of,
  ordering_nodes,
  output_index,
  replace_inputs,
  resolve_chains,
)
from hub_image_export.tensorflow_api import known_ops
from hub_image_export.tensorflow_api.protos import GraphDef, NodeDef

_HANDS_OVER = frozenset({"Identity", "IdentityN"})


def bypass_redundant_nodes(graph_def: GraphDef, kept: Iterable[str]) -> None:
  """Lets nothing read nodes that others can stand for, in place.

  They stay for `prune` to take away. A node that orders others, or is ordered
  by others, has a purpose beside its value: it is read as before.

  Args:
    graph_def: without custom gradients, which identities may carry.
    kept: names of nodes, or of tensors, that are known by their names.
  """
  needed = {canonical(name) for name in kept} | ordering_nodes(graph_def)
  constants: dict[bytes, str] = {}
  stand_ins: dict[str, str] = {}
  for node in graph_def.node:
    if node.name in needed or is_ordered(node):
      continue
    if node.op == "Const":
      first = constants.setdefault(_content(node), node.name)
      if first != node.name:
        stand_ins[node.name] = first
    elif node.op in _HANDS_OVER:
      for i, tensor in enumerate(node.input):
        stand_ins[canonical(f"{node.name}:{i}")] = canonical(tensor)
  resolve_chains(stand_ins)
  replace_inputs(graph_def, stand_ins)


def share_equal_nodes(graph_def: GraphDef, kept: Iterable[str]) -> None:
  """Lets nothing read nodes that compute what others do, in place.

  A source with a call for each of its tasks (T12) computes in each what all of
  them share. Draws stay apart, and so does what is made of them.

  Args:
    graph_def: a network; those with loops of TF1 control flow are not touched.
    kept: as of `bypass_redundant_nodes`.
  """
  if any(node.op == "NextIteration" for node in graph_def.node):
    return
  needed = {canonical(name) for name in kept} | ordering_nodes(graph_def)
  own = {node.name: node.name for node in graph_def.node if not _computes(node)}
  hashes = fingerprints(graph_def, own)
  first: dict[bytes, str] = {}
  stand_ins: dict[str, str] = {}
  for node in graph_def.node:
    one = first.setdefault(hashes[node.name], node.name)
    if one != node.name and node.name not in needed:
      stand_ins[node.name] = one
  for node in graph_def.node:
    for i, name in enumerate(node.input):
      if name[0] != "^" and node_of(name) in stand_ins:
        tensor = f"{stand_ins[node_of(name)]}:{output_index(name)}"
        node.input[i] = canonical(tensor)


def _computes(node: NodeDef) -> bool:
  """Whether it is its inputs alone that tell the value."""
  return (
    known_ops.only_computes(node.op)
    and not node.op.startswith("Placeholder")
    and not is_ordered(node)
  )


def _content(node: NodeDef) -> bytes:
  value = node.attr["value"].SerializeToString(deterministic=True)
  return hashlib.sha256(value).digest()
