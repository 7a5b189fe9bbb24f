# SPDX-License-Identifier: Apache-2.0
"""Which captured resources are the state of random numbers.

Keras 3 keeps a seed in a variable that every draw changes; `tf.random.
Generator` keeps the state of an algorithm in one. A graph that reads them can
neither be exported (the state belongs to a process) nor run in TF 1.15.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hub_image_export.graph import graph_defs
from hub_image_export.graph.called_functions import (
  LOOPS,
  called,
  first_argument,
)
from hub_image_export.graph.graph_defs import ASSIGNMENTS
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import GraphDef, NodeDef

# Stateless ops by the inputs that seed them.
SEED_INPUTS = {
  "StatelessRandomGetKeyCounter": (0,),
  "StatelessRandomGetKeyCounterAlg": (0,),
  "StatelessRandomUniform": (1,),
  "StatelessRandomNormal": (1,),
  "StatelessTruncatedNormal": (1,),
  "StatelessRandomUniformInt": (1,),
  "StatelessRandomUniformFullInt": (1,),
  "StatelessMultinomial": (2,),
  "StatelessRandomBinomial": (1,),
  "StatelessRandomPoisson": (1,),
  "StatelessRandomGammaV2": (1,),
  "StatelessParameterizedTruncatedNormal": (1,),
  "StatelessRandomUniformV2": (1, 2),
  "StatelessRandomNormalV2": (1, 2),
  "StatelessTruncatedNormalV2": (1, 2),
  "StatelessRandomUniformIntV2": (1, 2),
  "StatelessRandomUniformFullIntV2": (1, 2),
  "StatelessRandomGammaV3": (1, 2),
  "StatelessShuffle": (1, 2),
}
# Ops that draw from a state of the session that runs them.
PLAIN_DRAWS = frozenset(
  {
    "Multinomial",
    "NonDeterministicInts",
    "ParameterizedTruncatedNormal",
    "RandomGamma",
    "RandomPoisson",
    "RandomPoissonV2",
    "RandomShuffle",
    "RandomStandardNormal",
    "RandomUniform",
    "RandomUniformInt",
    "SampleDistortedBoundingBox",
    "SampleDistortedBoundingBoxV2",
    "TruncatedNormal",
  }
)
# Ops that draw from, or advance, the state of a tf.random.Generator.
GENERATOR_OPS = frozenset(
  {
    "RngReadAndSkip",
    "RngSkip",
    "StatefulUniform",
    "StatefulStandardNormal",
    "StatefulStandardNormalV2",
    "StatefulTruncatedNormal",
    "StatefulUniformInt",
    "StatefulUniformFullInt",
  }
)
_STATE_USERS = ASSIGNMENTS | GENERATOR_OPS | {"ReadVariableOp"}
_KEYS = ("StatelessRandomGetKeyCounter", "StatelessRandomGetKeyCounterAlg")
_TYPE_ATTRS = ("DstT", "dtype", "type", "Tout", "T")


class _OtherUseError(Exception):
  """A number is used for more than seeding random ops."""


def _is_float(node: NodeDef) -> bool:
  """Whether the node computes real numbers: no part of a seed."""
  for name in _TYPE_ATTRS:
    if name in node.attr:
      value = node.attr[name]
      types = value.list.type or [value.type]  # IdentityN has a list.
      return any(tf.dtypes.as_dtype(t).is_floating for t in types)
  return False


class _Seeds:
  """Follows numbers through a graph, or the body of a function, to draws.

  Attributes:
    seeding: whether any random op is seeded by them.
  """

  def __init__(
    self,
    consumers: dict[str, list[tuple[NodeDef, int]]],
    library: dict[str, Any],
    resource: str = "",
  ):
    self.seeding = False
    self._library = library
    self._resource = resource
    self._consumers = consumers
    # Nodes whose outputs come from them; of those that call functions, single
    # outputs as (name, index).
    self._found: set[str | tuple[str, int]] = set()

  def follow(self, start: Iterable[str]) -> set[str | tuple[str, int]]:
    """What comes from the nodes or arguments of these names.

    Raises:
      _OtherUseError: it is no seed alone.
    """
    pending: list[str | tuple[str, int]] = list(start)
    self._found.update(pending)
    while pending:
      item = pending.pop()
      name, output = item if isinstance(item, tuple) else (item, None)
      for node, index in self._consumers[name]:
        tensor = graph_defs.data_inputs(node)[index]
        if output is None or graph_defs.output_index(tensor) == output:
          found = self._outputs(node, index) - self._found
          self._found |= found
          pending += found
    return self._found

  def _outputs(self, node: NodeDef, index: int) -> set[str | tuple[str, int]]:
    """What of a consumer's outputs depends on its input."""
    if index in SEED_INPUTS.get(node.op, ()):
      self.seeding = True
      return {node.name} if node.op in _KEYS else set()
    if node.op in ASSIGNMENTS:
      if graph_defs.node_of(node.input[0]) != self._resource:
        raise _OtherUseError
      return set()
    if called(node):
      return self._through_functions(node, index)
    if _is_float(node):
      raise _OtherUseError
    return {node.name}

  def _through_functions(
    self, node: NodeDef, index: int
  ) -> set[str | tuple[str, int]]:
    arguments = {index - first_argument(node)}
    if -1 in arguments:  # It decides which function is called.
      raise _OtherUseError
    references = called(node)
    if node.op not in LOOPS:
      return {
        (node.name, i)
        for reference in references
        for i in self._of_function(reference.name, arguments)
      }
    body, condition = references
    # What a round of a loop returns is what the next one is given.
    while not arguments.issuperset(
      outputs := self._of_function(body.name, arguments)
    ):
      arguments |= outputs
    if self._of_function(condition.name, arguments):
      raise _OtherUseError
    return {(node.name, i) for i in arguments}

  def _of_function(self, name: str, arguments: set[int]) -> set[int]:
    """Which results of a function come from some of its arguments."""
    body = self._library[name]
    consumers = graph_defs.consumers_of(body.node_def)
    seeds = _Seeds(consumers, self._library)
    names = [argument.name for argument in body.signature.input_arg]
    found = seeds.follow(names[i] for i in arguments)
    self.seeding |= seeds.seeding
    results = [body.ret[a.name] for a in body.signature.output_arg]
    return {
      i
      for i, tensor in enumerate(results)
      if graph_defs.node_of(tensor) in found
      or (graph_defs.node_of(tensor), graph_defs.output_index(tensor)) in found
    }


def random_state(graph_def: GraphDef, resources: Iterable[str]) -> set[str]:
  """Which captured resources are random state and nothing else.

  Args:
    graph_def: The traced graph, without calls of functions at its top, and
      with state as values: no function is handed a variable.
    resources: Names of the placeholders of captured resources.

  Returns:
    Those that only seed random ops, and are assigned from themselves. They
    are no part of a module: neither they nor their assignments.
  """
  if not any(
    node.op in SEED_INPUTS or node.op in GENERATOR_OPS
    for node in graph_defs.all_nodes(graph_def)
  ):
    return set()
  library = {f.signature.name: f for f in graph_def.library.function}
  consumers = graph_defs.consumers_of(graph_def.node)

  def is_random_state(resource: str) -> bool:
    users = consumers[resource]
    if any(n.op not in _STATE_USERS or i != 0 for n, i in users):
      return False
    reads = [n for n, _ in users if n.op == "ReadVariableOp"]
    if any(map(_is_float, reads)):
      return False
    seeds = _Seeds(consumers, library, resource)
    try:
      seeds.follow(node.name for node in reads)
    except _OtherUseError:
      return False
    return seeds.seeding or any(n.op in GENERATOR_OPS for n, _ in users)

  return {name for name in resources if is_random_state(name)}
