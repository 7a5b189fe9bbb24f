# SPDX-License-Identifier: Apache-2.0
"""A variant of a module: its graph, and what of it is served."""

from __future__ import annotations

import dataclasses

from hub_image_export.graph.graph_defs import fingerprints, node_of
from hub_image_export.tensorflow_api.protos import GraphDef
from hub_image_export.weights.variable import Variable


@dataclasses.dataclass
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
    random_state: variables that only seed draws, and are left out.
    activations: "softmax" or "sigmoid", by the task that it was taken off.
    oldest_tensorflow: the oldest version that runs it ("1.15"), or trains it.
    decays: by the name of a variable, the decay that the momentum replaced.
    rewritten: the kinds of ops in whose place others stand, for TF 1.15.
    needs_newer: why that is not 1.15: a sentence for each op to blame.
    unsplit: the same with grouped convolutions whole, which later versions
      compute faster; None where there are none.
    fine_tuned_from: the oldest version that differentiates it, too.
    fine_tuning_needs_newer: likewise.
  """

  tags: frozenset[str]
  graph_def: GraphDef
  variables: dict[str, Variable]
  tasks: dict[str, str]
  endpoints: dict[str, str]
  penalties: tuple[str, ...] = ()
  dropped_penalties: tuple[str, ...] = ()
  updates: tuple[str, ...] = ()
  random_state: tuple[Variable, ...] = ()
  activations: dict[str, str] = dataclasses.field(default_factory=dict)
  oldest_tensorflow: str = ""
  needs_newer: tuple[str, ...] = ()
  fine_tuned_from: str = ""
  fine_tuning_needs_newer: tuple[str, ...] = ()
  rewritten: tuple[str, ...] = ()
  unsplit: Variant | None = None
  decays: dict[str, float] = dataclasses.field(default_factory=dict)

  @property
  def is_training(self) -> bool:
    return bool(self.tags)

  @property
  def name(self) -> str:
    return "train" if self.is_training else "inference"

  @property
  def outputs(self) -> list[str]:
    return [*self.tasks.values(), *self.endpoints.values()]

  @property
  def served(self) -> list[str]:
    """All that consumers can ask for: tensors, and ops that update."""
    return [*self.outputs, *self.penalties, *self.updates]

  def computes_the_same_as(self, other: Variant) -> bool:
    """Whether both give the same outputs and update the same (F2)."""
    # Fingerprints are slow, and not needed where one alone updates anything.
    return (
      len(self.updates) == len(other.updates)
      and self._fingerprint() == other._fingerprint()
    )

  def _fingerprint(self) -> list[bytes]:
    hashes = fingerprints(self.graph_def, self.leaves())
    return [hashes[node_of(name)] for name in [*self.outputs, *self.updates]]

  def leaves(self) -> dict[str, str]:
    """Names of variables by those of their placeholders."""
    return {placeholder: v.name for placeholder, v in self.variables.items()}
