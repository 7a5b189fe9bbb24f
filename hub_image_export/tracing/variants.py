"""From a traced graph to the graph of a module's variant.

Everything here is GraphDef in, GraphDef out, in one direction: functions are
inlined, probabilities become logits, registered gradients and control
dependencies go, random state becomes fresh numbers, the rest is pruned to what
the module serves, rewritten for old versions of TensorFlow, and rid of nodes
that it has twice.
"""

from __future__ import annotations

import dataclasses

from hub_image_export import contract
from hub_image_export.graph import (
  custom_gradients as gradients,
  hermetic,
  inline as functions,
  logits,
  portability,
  random_numbers as randomness,
)
from hub_image_export.graph.graph_defs import (
  ASSIGNMENTS,
  ancestors,
  canonical,
  data_inputs,
  descendants,
  fingerprints,
  is_ordered,
  node_of,
  nodes_by_name,
  passed_on,
  prune,
)
from hub_image_export.graph.oldest_tensorflow import oldest_tensorflow
from hub_image_export.graph.simplify import bypass_redundant_nodes
from hub_image_export.tensorflow_api.protos import GraphDef
from hub_image_export.tracing.trace import Trace
from hub_image_export.weights.variable import Variable


@dataclasses.dataclass(frozen=True)
class Variant:
  """The graph of one variant, still without the variables' own nodes.

  Attributes:
    tags: the empty set, or {"train"} (F2).
    graph_def: placeholders stand for the inputs and for each variable.
    variables: from the name of a placeholder to its variable.
    tasks: name of the output tensor by task.
    endpoints: name of the output tensor by key.
    penalties: names of tensors (REGULARIZATION_LOSSES).
    dropped_penalties: names of ops whose penalties depend on the images.
    updates: names of ops (UPDATE_OPS).
    activations: "softmax" or "sigmoid", by the task that it was taken off.
    oldest_tensorflow: the oldest version that runs it ("1.15"), or trains it.
    needs_newer: why that is not 1.15: a sentence for each op to blame.
  """

  tags: frozenset[str]
  graph_def: GraphDef
  variables: dict[str, Variable]
  tasks: dict[str, str]
  endpoints: dict[str, str]
  penalties: tuple[str, ...]
  dropped_penalties: tuple[str, ...]
  updates: tuple[str, ...]
  activations: dict[str, str]
  oldest_tensorflow: str
  needs_newer: tuple[str, ...]

  @property
  def name(self) -> str:
    return "train" if self.tags else "inference"

  @property
  def outputs(self) -> list[str]:
    return [*self.tasks.values(), *self.endpoints.values()]

  def computes_the_same_as(self, other: Variant) -> bool:
    """Whether both give the same outputs and update the same (F2)."""
    # Fingerprints are slow, and not needed where one alone updates anything.
    return (
      len(self.updates) == len(other.updates)
      and self._fingerprint() == other._fingerprint()
    )

  def _fingerprint(self) -> list[bytes]:
    hashes = fingerprints(self.graph_def, _leaves(self.variables))
    return [hashes[node_of(name)] for name in [*self.outputs, *self.updates]]


def make_variant(
  trace: Trace,
  training: bool,
  variables: dict[str, Variable],
  captured: dict[str, object],
) -> Variant:
  """Makes a variant's graph of a trace.

  Args:
    trace: as `tracing.trace` returned it.
    training: whether it is the training variant.
    variables: by the placeholders that stand for them.
    captured: what else was captured: constants, or things that cannot be part
      of a module.

  Raises:
    ValueError: something in the graph cannot be part of a module.
  """
  graph_def = functions.inline_calls(trace.graph_def)
  hermetic.fill_constants(graph_def, captured)
  outputs = [*trace.tasks.values(), *trace.endpoints.values()]
  activations = _strip_activations(graph_def, trace.tasks)
  penalties, dropped = _weight_penalties(graph_def, trace, variables)
  state = randomness.random_state(graph_def, set(variables))
  graph_def = randomness.draw_fresh(graph_def, state)
  variables = {k: v for k, v in variables.items() if k not in state}
  _drop_control_inputs(graph_def, [*outputs, *penalties])
  updates = _assignments(graph_def, variables) if training else []
  graph_def = prune(graph_def, [*outputs, *penalties, *updates])
  hermetic.refuse_process_ops(graph_def)
  gradients.drop_custom_gradients(graph_def)
  graph_def = portability.make_portable(graph_def)
  updates = _assignments(graph_def, variables) if training else []
  served = [*outputs, *penalties, *updates]
  bypass_redundant_nodes(graph_def, served)
  graph_def = prune(graph_def, served)
  oldest, reasons = oldest_tensorflow(graph_def, training)
  hermetic.drop_private_attributes(graph_def)
  present = {node.name for node in graph_def.node}
  return Variant(
    tags=contract.TRAIN_TAGS if training else contract.INFERENCE_TAGS,
    graph_def=functions.name_by_content(graph_def),
    variables={k: v for k, v in variables.items() if k in present},
    tasks=trace.tasks,
    endpoints=trace.endpoints,
    penalties=tuple(penalties),
    dropped_penalties=tuple(dropped),
    updates=tuple(updates),
    activations=activations,
    oldest_tensorflow=oldest,
    needs_newer=tuple(reasons),
  )


def _leaves(variables: dict[str, Variable]) -> dict[str, str]:
  return {placeholder: v.name for placeholder, v in variables.items()}


def _strip_activations(
  graph_def: GraphDef, tasks: dict[str, str]
) -> dict[str, str]:
  output = tasks.get(contract.IMAGE_CLASSIFICATION)
  activation = output and logits.strip_activation(graph_def, output)
  return {contract.IMAGE_CLASSIFICATION: activation} if activation else {}


def _weight_penalties(
  graph_def: GraphDef, trace: Trace, variables: dict[str, Variable]
) -> tuple[list[str], list[str]]:
  """Each weight penalty once; then the origins of those that read images.

  Consumers import the collection without the inputs: a penalty that depends
  on the images would ask them for a placeholder that they do not know.
  """
  if not trace.penalties:
    return [], []
  graph_def = prune(graph_def, trace.penalties)
  hashes = fingerprints(graph_def, _leaves(variables))
  of_images = descendants(graph_def, [contract.IMAGES])
  found: dict[bytes, str] = {}
  dropped = []
  for penalty in trace.penalties:
    if node_of(penalty) in of_images:
      dropped.append(_origin(graph_def, penalty))
    else:
      found.setdefault(hashes[node_of(penalty)], penalty)
  return list(found.values()), dropped


def _origin(graph_def: GraphDef, tensor: str) -> str:
  """The op behind a tensor that was only passed on."""
  nodes = nodes_by_name(graph_def)
  return node_of(passed_on(nodes, tensor, {"Identity", "Cast"}))


def _assignments(
  graph_def: GraphDef, variables: dict[str, Variable]
) -> list[str]:
  return [
    node.name
    for node in graph_def.node
    if node.op in ASSIGNMENTS and canonical(node.input[0]) in variables
  ]


def _drop_control_inputs(graph_def: GraphDef, tensors: list[str]) -> None:
  """Unties the outputs from side effects: they alone update nothing (F4)."""
  ordered = list(filter(is_ordered, graph_def.node))
  if not ordered:
    return
  on_the_way = ancestors(graph_def, tensors, controls=False)
  for node in ordered:
    if node.name in on_the_way:
      node.input[:] = data_inputs(node)
