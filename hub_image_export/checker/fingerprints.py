# SPDX-License-Identifier: Apache-2.0
"""Whether two tensors are computed alike, whatever their nodes are called."""

from __future__ import annotations

import hashlib

from hub_image_export.untrusted.graph import (
  VARIABLE_OPS,
  Graph,
  node_name,
  output_index,
)


def fingerprint(graph: Graph, tensor: str, known: dict[str, bytes]) -> bytes:
  """A hash of how `tensor` is computed, whatever the nodes are called.

  Names count for variables and nothing else. `known` is filled and reused.
  """
  pending = [(node_name(tensor), False)]
  while pending:
    name, inputs_done = pending.pop()
    if name in known and known[name] != b"cycle":
      continue
    if inputs_done:
      known[name] = _hash_node(graph, name, known)
      continue
    known[name] = b"cycle"
    pending.append((name, True))
    pending += [(i, False) for i in graph.inputs(name) if i not in known]
  return known[node_name(tensor)] + bytes(str(output_index(tensor)), "ascii")


def _hash_node(graph: Graph, name: str, known: dict[str, bytes]) -> bytes:
  digest = hashlib.sha256()
  node = graph.nodes.get(name)
  if node is None:
    return b"missing"
  digest.update(node.op.encode())
  if node.op in VARIABLE_OPS:
    digest.update(name.encode())
  for key in sorted(node.attr):
    if not key.startswith("_") and key not in ("shared_name", "container"):
      digest.update(key.encode())
      digest.update(node.attr[key].SerializeToString(deterministic=True))
  for tensor in node.input:
    digest.update(known.get(node_name(tensor), b"missing"))
    digest.update(f"{tensor[:1] == '^'}{output_index(tensor)}".encode())
  return digest.digest()
