"""Which captured resources are the state of random numbers.

Keras 3 keeps a seed in a variable that every draw changes; `tf.random.
Generator` keeps the state of an algorithm in one. A graph that reads them can
neither be exported (the state belongs to a process) nor run in TF 1.15.
"""

from __future__ import annotations

from collections.abc import Iterable

from hub_image_export.graph import graph_defs
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
READS = frozenset({"ReadVariableOp", "RngReadAndSkip"})
_STATE_USERS = ASSIGNMENTS | READS | GENERATOR_OPS
_KEYS = ("StatelessRandomGetKeyCounter", "StatelessRandomGetKeyCounterAlg")
_CONTROL_FLOW = frozenset({"If", "StatelessIf", "While", "StatelessWhile"})

_TYPE_ATTRS = ("DstT", "dtype", "type", "Tout", "T")

Consumers = dict[str, list[tuple[NodeDef, int]]]


def _is_float(node: NodeDef) -> bool:
  """Whether the node computes real numbers: no part of a seed."""
  for name in _TYPE_ATTRS:
    if name in node.attr:
      value = node.attr[name]
      types = value.list.type or [value.type]  # IdentityN has a list.
      return any(tf.dtypes.as_dtype(t).is_floating for t in types)
  return False


def _is_random_state(consumers: Consumers, resource: str) -> bool:
  users = consumers[resource]
  if any(n.op not in _STATE_USERS or i != 0 for n, i in users):
    return False
  pending = [n.name for n, _ in users if n.op in READS]
  seen = set(pending)
  while pending:
    for node, index in consumers[pending.pop()]:
      if index in SEED_INPUTS.get(node.op, ()) and node.op not in _KEYS:
        continue
      if node.op in ASSIGNMENTS:
        if graph_defs.node_of(node.input[0]) != resource:
          return False
      elif node.op in _CONTROL_FLOW or _is_float(node):
        return False
      elif node.name not in seen:
        seen.add(node.name)
        pending.append(node.name)
  return bool(users)


def random_state(graph_def: GraphDef, resources: Iterable[str]) -> set[str]:
  """Which captured resources are random state and nothing else.

  Args:
    graph_def: The traced graph, without calls of functions.
    resources: Names of the placeholders of captured resources.

  Returns:
    Those that only seed random ops, and are assigned from themselves. They
    are no part of a module: neither they nor their assignments.
  """
  consumers = graph_defs.consumers_of(graph_def)
  return {name for name in resources if _is_random_state(consumers, name)}
