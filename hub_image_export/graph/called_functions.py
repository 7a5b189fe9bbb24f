# SPDX-License-Identifier: Apache-2.0
"""Ops that call functions of a graph's library with their own inputs."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any

from hub_image_export.tensorflow_api.protos import GraphDef, NodeDef

# By the attributes that name the functions.
CHOICES = {
  "If": ("then_branch", "else_branch"),
  "StatelessIf": ("then_branch", "else_branch"),
  "Case": ("branches",),
  "StatelessCase": ("branches",),
}
LOOPS = {"While": ("body", "cond"), "StatelessWhile": ("body", "cond")}
CALLS = {"PartitionedCall": ("f",), "StatefulPartitionedCall": ("f",)}
_CALLING = {**CHOICES, **LOOPS, **CALLS}


def called(node: NodeDef) -> list[Any]:
  """References to the functions that an op calls, to read or to change.

  A loop's body comes before its condition.
  """
  found: list[Any] = []
  for name in _CALLING.get(node.op, ()):
    value = node.attr[name]
    found += [value.func] if value.HasField("func") else value.list.func
  return found


def first_argument(node: NodeDef) -> int:
  """Index of the input that is the functions' first argument."""
  return 1 if node.op in CHOICES else 0


def calls_any(node: NodeDef, functions: Container[str]) -> bool:
  """Whether it calls one of the functions, of these names."""
  return node.op in functions or any(f.name in functions for f in called(node))


def functions_with(
  graph_def: GraphDef, wanted: Callable[[NodeDef], bool]
) -> set[str]:
  """Names of the functions with such ops, in themselves or further down."""
  bodies = {f.signature.name: f.node_def for f in graph_def.library.function}
  found = {name for name in bodies if any(map(wanted, bodies[name]))}
  grown = found
  while grown:
    grown = {
      name
      for name in bodies.keys() - found
      if any(calls_any(node, found) for node in bodies[name])
    }
    found = found | grown
  return found


def drop_uncalled(graph_def: GraphDef) -> None:
  """Leaves functions out that nothing refers to, in place."""
  bodies = {f.signature.name: f for f in graph_def.library.function}
  found: set[str] = set()
  pending = [graph_def.node] if bodies else []
  while pending:
    for node in pending.pop():
      names = {node.op}
      for value in node.attr.values():
        names.update(f.name for f in [value.func, *value.list.func])
      for name in (names & bodies.keys()) - found:
        found.add(name)
        pending.append(bodies[name].node_def)
  kept = [f for name, f in bodies.items() if name in found]
  graph_def.library.CopyFrom(type(graph_def.library)(function=kept))
