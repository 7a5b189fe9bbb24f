# SPDX-License-Identifier: Apache-2.0
"""Random numbers: drawn afresh wherever a module runs, and where they go.

Plain random ops (`RandomUniform`) keep their state in the session that runs
them. Only they are drawn from anew by each consumer, and exist in TF 1.15.
"""

from __future__ import annotations

from collections.abc import Iterable

from hub_image_export.graph import graph_defs
from hub_image_export.graph.called_functions import (
  CHOICES,
  called,
  calls_any,
  functions_with,
)
from hub_image_export.graph.dropout import dropout_on
from hub_image_export.graph.graph_defs import ASSIGNMENTS
from hub_image_export.graph.portability.substitution import (
  Substitution,
  attrs_of,
  substitute,
)
from hub_image_export.graph.random_draws import DRAWS, draw_plainly, draw_state
from hub_image_export.graph.random_state import (
  GENERATOR_OPS,
  PLAIN_DRAWS,
  SEED_INPUTS,
  random_state,
)
from hub_image_export.tensorflow_api.protos import GraphDef, NodeDef

__all__ = ["draw_fresh", "dropout_on", "random_ops", "random_state"]


def draw_fresh(graph_def: GraphDef, state: set[str]) -> None:
  """Lets a graph draw new random numbers in each process, in place.

  Random ops that are seeded by random state become plain ones; what else reads
  the state gets random integers. The state, and its assignments, are gone.
  Plain random ops lose their seeds. A stateless op with a constant seed is
  deterministic by its author's will: its numbers stay.

  Args:
    graph_def: The traced graph, without calls of functions at its top.
    state: What `random_state` returned.
  """
  if state:
    seeded = graph_defs.descendants(graph_def, state)
    substitute(graph_def, tuple(DRAWS), _Plainly(seeded, graph_def))
    substitute(graph_def, ("ReadVariableOp",), _OfState(state))
    _delete_state(graph_def, state)
  _zero_seeds(graph_def)


def random_ops(graph_def: GraphDef, tensors: Iterable[str]) -> list[str]:
  """The ops behind `tensors` that draw new numbers at each run, for messages.

  Includes calls of functions, and control flow, that have such ops inside.
  Those of branches are told with the branch.
  """
  drawing = functions_with(graph_def, _draws)
  found = [
    node for node in graph_def.node if _draws(node) or calls_any(node, drawing)
  ]
  wanted = graph_defs.ancestors(graph_def, tensors) if found else ()
  return [
    f"{node.name}{_branch(node, drawing)}"
    for node in found
    if node.name in wanted
  ]


def _branch(node: NodeDef, drawing: set[str]) -> str:
  """Which of an op's branches draws."""
  if node.op not in CHOICES:
    return f" ({node.op})"
  drawn = [reference.name in drawing for reference in called(node)]
  names = ["True", "False"] if "If" in node.op else map(str, range(len(drawn)))
  found = " and ".join(name for name, draws in zip(names, drawn) if draws)
  return f" ({node.op}, in its branch for {found})"


class _Plainly:
  """Makes seeded draws plain; the same draw made twice becomes one."""

  def __init__(self, seeded: set[str], graph_def: GraphDef):
    self._seeded = seeded
    self._nodes = graph_defs.nodes_by_name(graph_def)
    self._drawn: dict[tuple, str] = {}

  def __call__(self, node: NodeDef, new: Substitution) -> None:
    seeds = SEED_INPUTS.get(node.op, (0,))
    names = [graph_defs.node_of(node.input[i]) for i in seeds]
    if not self._seeded.intersection(names):
      return
    if node.op in GENERATOR_OPS:
      draw_plainly(node, new)
      return
    drawn = self._drawn.setdefault(self._identity(node), node.name)
    if drawn == node.name:
      draw_plainly(node, new)
    else:
      (dtype,) = attrs_of(node, "dtype", "output_dtype").values()
      new.finish("Identity", [drawn], T=dtype)

  def _identity(self, node: NodeDef) -> tuple:
    """The op and its inputs, with keys as the seeds that they come from."""
    names = graph_defs.data_inputs(node)
    return (node.op, *map(self._input_identity, names))

  def _input_identity(self, tensor: str) -> str | bytes:
    source = self._nodes[graph_defs.node_of(tensor)]
    if source.op == "StatelessRandomGetKeyCounter":
      return graph_defs.canonical(source.input[0])
    if source.op == "Const":
      return source.attr["value"].SerializeToString()
    return graph_defs.canonical(tensor)


class _OfState:
  """Replaces the reads of random state."""

  def __init__(self, state: set[str]):
    self._state = state

  def __call__(self, node: NodeDef, new: Substitution) -> None:
    if graph_defs.node_of(node.input[0]) in self._state:
      draw_state(node, new)


def _delete_state(graph_def: GraphDef, state: set[str]) -> None:
  gone = set(state)
  for node in graph_def.node:
    if node.op in ASSIGNMENTS and graph_defs.node_of(node.input[0]) in state:
      gone.add(node.name)
  graph_defs.delete_nodes(graph_def, gone.__contains__)
  for node in filter(graph_defs.is_ordered, graph_def.node):
    node.input[:] = [
      name
      for name in node.input
      if not (name.startswith("^") and name[1:] in gone)
    ]


def _zero_seeds(graph_def: GraphDef) -> None:
  for node in graph_defs.all_nodes(graph_def):
    if node.op in PLAIN_DRAWS:
      for name in ("seed", "seed2"):
        if name in node.attr:
          node.attr[name].i = 0


def _draws(node: NodeDef) -> bool:
  return node.op in PLAIN_DRAWS or node.op in GENERATOR_OPS
