# SPDX-License-Identifier: Apache-2.0
"""The ways through a graph of unknown origin and its functions.

Like in `graph`, everything is iterative, and remembers what it visited.
"""

from __future__ import annotations

import collections
import functools
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from hub_image_export.untrusted.graph import (
  Graph,
  function_names,
  node_name,
  output_index,
)

# A function's name (empty: the graph itself), and that of a node in it.
Place = tuple[str, str]
# Calls whose inputs are the function's.
_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
_COPIES = frozenset({"Identity", "IdentityN"})


class Calls(Graph):
  """A graph whose functions are looked into."""

  @property
  def repeated(self) -> list[str]:
    """Functions of which there are several by one name."""
    names = [f.signature.name for f in self.graph_def.library.function]
    counts = collections.Counter(names)
    return [name for name, count in counts.items() if count > 1]

  def nodes_everywhere(self) -> Iterator[tuple[Place, Any]]:
    for node in self.graph_def.node:
      yield ("", node.name), node
    for function in self.graph_def.library.function:
      for node in function.node_def:
        yield (function.signature.name, node.name), node

  def reached(
    self, tensors: Iterable[str], functions: Iterable[str] = ()
  ) -> set[Place]:
    """What runs with these tensors or operations, and these functions.

    Of a function that is called somewhere on the way, all nodes run.
    """
    names = self.ancestors(tensors)
    pending = list(functions)
    for name in names & self.nodes.keys():
      pending += function_names(self.nodes[name])
    found: set[str] = set()
    while pending:
      name = pending.pop()
      if name in self.functions and name not in found:
        found.add(name)
        pending += self._called_in[name]
    return {("", name) for name in names} | {
      (name, node.name)
      for name in found
      for node in self.functions[name].node_def
    }

  @functools.cached_property
  def _called_in(self) -> dict[str, set[str]]:
    return {
      name: {
        called for node in body.node_def for called in function_names(node)
      }
      for name, body in self.functions.items()
    }

  @functools.cached_property
  def _callers(self) -> dict[str, list[tuple[str, Any]]]:
    """The functions and nodes in them that call, or might call, each one."""
    found: dict[str, list[tuple[str, Any]]] = {}
    for (scope, _), node in self.nodes_everywhere():
      for name in set(function_names(node)) & self.functions.keys():
        found.setdefault(name, []).append((scope, node))
    return found

  @functools.cache  # noqa: B019, as long as the graph.
  def _bodies(self, scope: str) -> tuple[dict[str, Any], list[str]]:
    """Nodes by name, and the names of the arguments."""
    if not scope:
      return self.nodes, []
    function = self.functions[scope]
    arguments = [argument.name for argument in function.signature.input_arg]
    return {node.name: node for node in function.node_def}, arguments

  def comes_from(
    self,
    scope: str,
    tensors: Iterable[str],
    good: Collection[str],
    objects: Any = None,
  ) -> bool:
    """Whether tensors are, on all ways, copies of certain nodes of the graph.

    Args:
      scope: the function that the tensors are in.
      tensors: their names.
      good: names of nodes of the graph itself.
      objects: the SavedObjectGraph; if given, what its functions capture may
        be an asset, and what they are called with may be anything.
    """
    pending = [(scope, tensor) for tensor in tensors]
    seen = set()
    while pending:
      scope, tensor = pending.pop()
      place = scope, node_name(tensor)
      if place in seen or (not scope and place[1] in good):
        continue
      seen.add(place)
      nodes, arguments = self._bodies(scope)
      node = nodes.get(place[1])
      if place[1] in arguments:
        index = arguments.index(place[1])
        if not _is_asset(scope, index - len(arguments), objects):
          return False
        for caller, call in self._callers.get(scope, ()):
          inputs = [i for i in call.input if not i.startswith("^")]
          if call.op not in (*_CALLS, scope) or index >= len(inputs):
            return False
          pending.append((caller, inputs[index]))
      elif node is not None and node.op in _COPIES:
        index = output_index(tensor) if node.op == "IdentityN" else 0
        pending += [(scope, name) for name in node.input[index : index + 1]]
      elif node is not None and node.op == "ReadVariableOp" and not scope:
        values = self._assigned(node_name(node.input[0]))
        if not values:
          return False
        pending += [("", value) for value in values]
      else:
        return False
    return True

  def _assigned(self, handle: str) -> list[str]:
    """What a variable of the graph itself is given; nothing if unclear.

    TensorFlow keeps the paths of assets in variables.
    """
    found = []
    for node in self.graph_def.node:
      if handle in map(node_name, node.input):
        if node.op == "AssignVariableOp" and len(node.input) > 1:
          found.append(node.input[1])
        elif node.op not in ("ReadVariableOp", "VarIsInitializedOp"):
          return []
    return found


def _is_asset(function: str, index: int, objects: Any) -> bool:
  """Whether an argument, if it is a capture, is an asset.

  Args:
    function: whose argument it is; it may be called from elsewhere alone.
    index: of the argument, from the end, where the captures are.
    objects: see `comes_from`.
  """
  if objects is None or function not in objects.concrete_functions:
    return True
  captures = objects.concrete_functions[function].bound_inputs
  if index < -len(captures):
    return True
  number = captures[index]
  return (
    number < len(objects.nodes)
    and objects.nodes[number].WhichOneof("kind") == "asset"
  )
