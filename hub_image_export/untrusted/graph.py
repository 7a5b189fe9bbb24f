# SPDX-License-Identifier: Apache-2.0
"""A GraphDef of unknown origin, to be asked about its structure.

Everything here is iterative and remembers what it visited: the graph may be
deep, cyclic, or name nodes that do not exist.
"""

from __future__ import annotations

import collections
import functools
import re
import types
from collections.abc import Iterable, Iterator
from typing import Any

VARIABLE_OPS = frozenset({"VarHandleOp", "VariableV2", "Variable"})
PLACEHOLDER_OPS = frozenset({"Placeholder", "PlaceholderV2"})
# Random numbers of tf.random.Generator move the variable that they start from.
_ASSIGN = re.compile(
  r"Assign|^(Resource)?(Sparse)?Apply|CountUpTo$"
  r"|^(Resource)?Scatter(Nd)?(Update|Add|Sub|Mul|Div|Min|Max)"
  r"|^Stateful(?!PartitionedCall)|^Rng.*Skip"
)
# Ops that do not give their first input to what they call.
_CHOOSING = frozenset({"If", "StatelessIf", "Case", "StatelessCase"})
_BRANCHES = _CHOOSING | {"Switch", "RefSwitch"}
_RANDOM = re.compile(
  r"Random|Multinomial|TruncatedNormal|^Stateful.*(Normal|Uniform)"
)
# Ops that give their first input as it is, perhaps under another shape.
_FORWARDING = frozenset(
  {
    "Identity", "IdentityN", "Cast", "Reshape", "Squeeze", "ExpandDims",
    "StopGradient", "PreventGradient", "EnsureShape", "CheckNumerics",
    "Snapshot", "Enter", "RefEnter", "Exit", "RefExit", "Switch", "RefSwitch",
    "RefIdentity", "PlaceholderWithDefault",
  }
)  # fmt: skip


def node_name(tensor: str) -> str:
  """`"a"` for `"a"`, `"a:1"` and `"^a"`."""
  return tensor.lstrip("^").split(":", 1)[0]


def output_index(tensor: str) -> int:
  """1 for `"a:1"`, 0 for `"a"`."""
  index = tensor.rpartition(":")[2] if ":" in tensor else "0"
  return int(index) if index.isdecimal() and len(index) < 9 else 0


def is_assignment(op: str) -> bool:
  return bool(_ASSIGN.search(op))


def is_random(op: str) -> bool:
  return bool(_RANDOM.search(op))


def tensor_names(info: Any) -> list[str]:
  """The tensors that a TensorInfo stands for."""
  kind = info.WhichOneof("encoding")
  if kind == "name":
    return [info.name]
  if kind == "coo_sparse":
    sparse = info.coo_sparse
    return [
      sparse.values_tensor_name,
      sparse.indices_tensor_name,
      sparse.dense_shape_tensor_name,
    ]
  parts = info.composite_tensor.components
  return [part.name for part in parts if part.WhichOneof("encoding") == "name"]


class Graph:
  """Nodes by name, and the ways between them."""

  def __init__(self, graph_def: Any):
    self.graph_def = graph_def
    self.nodes = {node.name: node for node in graph_def.node}
    self.functions = {f.signature.name: f for f in graph_def.library.function}
    self._inputs: dict[str, list[str]] = {}

  def inputs(self, name: str) -> list[str]:
    """Names of the nodes that node `name` reads or waits for."""
    if name not in self._inputs:
      node = self.nodes.get(name)
      found = map(node_name, node.input) if node is not None else ()
      self._inputs[name] = list(found)
    return self._inputs[name]

  def data_inputs(self, name: str) -> list[str]:
    """The tensors that node `name` reads."""
    node = self.nodes.get(name)
    return [i for i in node.input if not i.startswith("^")] if node else []

  def readers(self, nodes: Iterable[str]) -> dict[str, list[str]]:
    """Which of `nodes` read a node; twice, where one reads it twice."""
    found: dict[str, list[str]] = {}
    for name in nodes:
      for tensor in self.data_inputs(name):
        found.setdefault(node_name(tensor), []).append(name)
    return found

  def op(self, name: str) -> str:
    node = self.nodes.get(name)
    return node.op if node is not None else ""

  def ancestors(
    self, tensors: Iterable[str], stop: Iterable[str] = ()
  ) -> set[str]:
    """Nodes that `tensors` depend on, themselves included.

    What stands behind the tensors of `stop` is left out, as it is when they
    are fed; these nodes themselves are in.
    """
    stop = {node_name(tensor) for tensor in stop}
    pending = [node_name(tensor) for tensor in tensors]
    found = set(pending)
    while pending:
      name = pending.pop()
      if name in stop:
        continue
      for source in self.inputs(name):
        if source not in found:
          found.add(source)
          pending.append(source)
    return found

  def behind_forwarding(self, tensor: str) -> str:
    """The tensor that `tensor` is a copy of."""
    seen = set()
    while node_name(tensor) not in seen:
      name = node_name(tensor)
      seen.add(name)
      inputs = self.data_inputs(name)
      index = output_index(tensor) if self.op(name) == "IdentityN" else 0
      if self.op(name) not in _FORWARDING or index >= len(inputs):
        break
      tensor = inputs[index]
    return tensor

  def all_nodes(self) -> Iterator[Any]:
    """The nodes of the graph and of its functions."""
    yield from self.graph_def.node
    for function in self.graph_def.library.function:
      yield from function.node_def

  def called(self, node: Any) -> set[str]:
    """Names of the functions that `node` and its callees may call."""
    pending = function_names(node)
    found = set()
    while pending:
      name = pending.pop()
      if name in found or name not in self.functions:
        continue
      found.add(name)
      for inner in self.functions[name].node_def:
        pending += function_names(inner)
    return found

  def has_branches(self, nodes: Iterable[Any]) -> bool:
    """Whether nodes, or what they call, do one thing or another: then what
    they do for some images tells little of others.
    """
    return any(
      op in _BRANCHES
      for node in nodes
      for op in (
        node.op,
        *(n.op for f in self.called(node) for n in self.functions[f].node_def),
      )
    )

  def _written(self, node: Any) -> list[str]:
    """The inputs that a node, or what it calls, assigns to."""
    if is_assignment(node.op):
      return list(node.input[:1])
    places = self._places(node)
    written = self.written_arguments if places else set()
    return [
      tensor
      for position, tensor in enumerate(node.input)
      if written.intersection(_shifted(places, position))
    ]

  def _places(self, node: Any) -> list[tuple[str, int]]:
    """What a node calls, and as which argument it gives its first input."""
    first = -1 if node.op in _CHOOSING else 0
    names = function_names(node)
    return [(name, first) for name in names if name in self.functions]

  @functools.cached_property
  def written_arguments(self) -> set[tuple[str, int]]:
    """Functions, and the arguments that they, or what they call, assign to."""
    pending: list[tuple[str, int]] = []
    callers: dict[Any, list[tuple[str, int]]] = collections.defaultdict(list)
    for name, function in self.functions.items():
      inner = body(function)
      arguments = [a.name for a in function.signature.input_arg]
      indices = {argument: i for i, argument in enumerate(arguments)}
      for node in function.node_def:
        places = self._places(node)
        assigns = is_assignment(node.op)
        for position, tensor in enumerate(node.input):
          if not assigns and not places:
            break
          index = indices.get(node_name(inner.behind_forwarding(tensor)))
          if index is None:
            continue
          if assigns and position == 0:
            pending.append((name, index))
          for place in _shifted(places, position):
            callers[place].append((name, index))
    found = set()
    while pending:
      place = pending.pop()
      if place not in found:
        found.add(place)
        pending += callers[place]
    return found

  @functools.cached_property
  def assignments(self) -> dict[str, list[str]]:
    """Variables that each assigning node writes, initializers included.

    A call counts as an assignment to what the called functions assign to.
    """
    found = {}
    for node in self.graph_def.node:
      targets = self._written(node)
      if targets:
        names = [node_name(self.behind_forwarding(name)) for name in targets]
        found[node.name] = [n for n in names if self.op(n) in VARIABLE_OPS]
    return found


def body(function: Any) -> Graph:
  """A function's nodes; its arguments are none, but what nodes read."""
  library = types.SimpleNamespace(function=())
  nodes = types.SimpleNamespace(node=function.node_def, library=library)
  return Graph(nodes)


def _shifted(
  places: Iterable[tuple[str, int]], by: int
) -> list[tuple[str, int]]:
  return [(name, first + by) for name, first in places]


def function_names(node: Any) -> list[str]:
  """What a node calls, or might: the names need not be of functions."""
  names = [
    value.func.name
    for value in node.attr.values()
    if value.WhichOneof("value") == "func"
  ]
  for value in node.attr.values():
    if value.WhichOneof("value") == "list":
      names += [function.name for function in value.list.func]
  return [*names, node.op]
