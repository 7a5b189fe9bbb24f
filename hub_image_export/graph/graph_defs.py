# SPDX-License-Identifier: Apache-2.0
"""Reading and changing GraphDefs: names of tensors, consumers, pruning.

Everything that happens between a traced function and a module's graph is a
function from GraphDef to GraphDef. This file has what they share.
"""

from __future__ import annotations

import collections
import hashlib
import itertools
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

import numpy as np

from hub_image_export.graph.called_functions import drop_uncalled
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import GraphDef, NodeDef

# Ops that give a variable another value, all of it.
ASSIGNMENTS = frozenset(
  {"AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp"}
)


def node_of(tensor: str) -> str:
  """`"a"` for the names `"a"`, `"a:1"`, `"a:y:1"` and `"^a"`."""
  if ":" in tensor:
    tensor = tensor.partition(":")[0]
  return tensor[1:] if tensor.startswith("^") else tensor


def canonical(tensor: str) -> str:
  """The name as it stands in node inputs: `"a"` for `"a:0"`."""
  return tensor[:-2] if tensor.endswith(":0") else tensor


def output_index(tensor: str) -> int:
  """1 for `"a:1"`, and for `"a:y:1"` as function bodies have it."""
  index = tensor.rpartition(":")[2]
  return int(index) if index.isdecimal() and index != tensor else 0


def data_inputs(node: NodeDef) -> list[str]:
  """The inputs of a node without its control inputs, which come last."""
  inputs = list(node.input)
  while inputs and inputs[-1].startswith("^"):
    inputs.pop()
  return inputs


def is_ordered(node: NodeDef) -> bool:
  """Whether it has control inputs, which come last."""
  return bool(node.input) and node.input[-1][0] == "^"


def ordering_nodes(graph_def: GraphDef) -> set[str]:
  """Names of the nodes that others wait for, by their control inputs."""
  return {
    name[1:]
    for node in graph_def.node
    if is_ordered(node)
    for name in node.input
    if name[0] == "^"
  }


def constant_node(name: str, value: np.ndarray) -> NodeDef:
  tensor = tf.make_tensor_proto(value)
  node = NodeDef(name=name, op="Const")
  node.attr["dtype"].type = tensor.dtype
  node.attr["value"].tensor.CopyFrom(tensor)
  return node


def nodes_by_name(graph_def: GraphDef) -> dict[str, NodeDef]:
  return {node.name: node for node in graph_def.node}


def node_lists(graph_def: GraphDef) -> list[Any]:
  """The nodes of the graph, and those of each function in its library."""
  functions = graph_def.library.function
  return [graph_def.node, *(function.node_def for function in functions)]


def all_nodes(graph_def: GraphDef) -> Iterator[NodeDef]:
  """The nodes of the graph, then those of the functions in its library."""
  return itertools.chain.from_iterable(node_lists(graph_def))


def drop_attribute(graph_def: GraphDef, name: str) -> int:
  """Deletes an attribute everywhere, in place; returns how many had it."""
  having = [node for node in all_nodes(graph_def) if name in node.attr]
  for node in having:
    del node.attr[name]
  return len(having)


def passed_on(
  nodes: dict[str, NodeDef], tensor: str, through: Collection[str]
) -> str:
  """The tensor that ops only pass on until it is `tensor`.

  Args:
    nodes: of one graph, by name.
    through: ops whose output is their first input; in place of IdentityN's,
      the input of the same index counts.
  """
  node = nodes[node_of(tensor)]
  while node.op in through:
    index = output_index(tensor) if node.op == "IdentityN" else 0
    tensor = data_inputs(node)[index]
    node = nodes[node_of(tensor)]
  return canonical(tensor)


def replace_inputs(graph_def: GraphDef, new_names: dict[str, str]) -> None:
  """Lets every consumer of a tensor named by a key read that of its value."""
  if not new_names:
    return
  for node in graph_def.node:
    for i, name in enumerate(node.input):
      new_name = new_names.get(canonical(name))
      if new_name is not None:
        node.input[i] = new_name


def resolve_chains(new_names: dict[str, str]) -> None:
  """Lets each key have the value that no key leads on from, in place."""
  for key, name in new_names.items():
    while name in new_names:
      name = new_names[name]
    new_names[key] = name


def ancestors(
  graph_def: GraphDef, tensors: Iterable[str], *, controls: bool = True
) -> set[str]:
  """Names of the nodes that `tensors` depend on, themselves included.

  Args:
    controls: whether a control input is something to depend on.
  """
  nodes = nodes_by_name(graph_def)
  pending = [node_of(tensor) for tensor in tensors]
  found = set(pending)
  while pending:
    node = nodes[pending.pop()]
    for tensor in node.input if controls else data_inputs(node):
      name = node_of(tensor)
      if name not in found:
        found.add(name)
        pending.append(name)
  return found


def consumers_of(
  nodes: Iterable[NodeDef],
) -> dict[str, list[tuple[NodeDef, int]]]:
  """Consumers of each of the nodes, by its name, with the index of the input;
  controls apart.
  """
  consumers = collections.defaultdict(list)
  for node in nodes:
    for index, name in enumerate(data_inputs(node)):
      consumers[node_of(name)].append((node, index))
  return consumers


def descendants(graph_def: GraphDef, names: Iterable[str]) -> set[str]:
  """Names of the nodes that depend on `names`, these included."""
  pending = list(names)
  found = set(pending)
  consumers = consumers_of(graph_def.node) if pending else {}
  while pending:
    for node, _ in consumers[pending.pop()]:
      if node.name not in found:
        found.add(node.name)
        pending.append(node.name)
  return found


def prune(graph_def: GraphDef, tensors: Iterable[str]) -> GraphDef:
  """A copy with what `tensors` depend on, functions too, in the same order."""
  kept = ancestors(graph_def, tensors)
  pruned = GraphDef(versions=graph_def.versions, library=graph_def.library)
  pruned.node.extend(node for node in graph_def.node if node.name in kept)
  drop_uncalled(pruned)
  return pruned


def drop_unneeded(graph_def: GraphDef, tensors: Iterable[str]) -> None:
  """Deletes what `tensors` do not depend on, functions too, in place."""
  kept = ancestors(graph_def, tensors)
  delete_nodes(graph_def, lambda name: name not in kept)
  drop_uncalled(graph_def)


def delete_nodes(
  graph_def: GraphDef, is_unwanted: Callable[[str], bool]
) -> None:
  """Deletes nodes by their names, in place.

  That takes a fraction of copying those that stay.
  """
  names = [node.name for node in graph_def.node]
  for i in reversed(range(len(names))):
    if is_unwanted(names[i]):
      del graph_def.node[i]


def replace_nodes(graph_def: GraphDef, nodes: Iterable[NodeDef]) -> None:
  """Lets a graph have these nodes alone, some of which may be its own."""
  copies = GraphDef(node=nodes)
  del graph_def.node[:]
  graph_def.MergeFrom(copies)


def output_shape(node: NodeDef, index: int = 0) -> list[int | None] | None:
  """The static shape that `add_shapes=True` left; None for unknown rank."""
  shapes = (
    node.attr["_output_shapes"].list.shape
    if ("_output_shapes" in node.attr)
    else ()
  )
  if index >= len(shapes) or shapes[index].unknown_rank:
    return None
  return [None if dim.size < 0 else dim.size for dim in shapes[index].dim]


def fingerprints(
  graph_def: GraphDef, leaves: dict[str, str]
) -> dict[str, bytes]:
  """For each node a hash of what it computes, whatever the nodes' names.

  Args:
    graph_def: may have the loops of TF1 control flow.
    leaves: names for nodes that stand for something outside: variables,
      inputs.
  """
  nodes = nodes_by_name(graph_def)
  found: dict[str, bytes] = {}
  pending = list(nodes)
  while pending:
    node = nodes[pending[-1]]
    missing = [
      name
      for name in map(node_of, node.input)
      if name not in found and node.op != "NextIteration"
    ]
    if missing and node.name not in found:
      pending.extend(missing)
      continue
    pending.pop()
    if node.name not in found:
      found[node.name] = _fingerprint(node, leaves, found)
  return found


def _fingerprint(
  node: NodeDef, leaves: dict[str, str], found: dict[str, bytes]
) -> bytes:
  content = hashlib.sha256(node.op.encode())
  if node.name in leaves:
    content.update(leaves[node.name].encode())
    return content.digest()
  for key in sorted(node.attr):
    if not key.startswith("_"):
      content.update(key.encode())
      content.update(node.attr[key].SerializeToString(deterministic=True))
  for name in node.input:
    content.update(found.get(node_of(name), b"loop"))
    content.update(canonical(name).partition(":")[2].encode())
  return content.digest()
