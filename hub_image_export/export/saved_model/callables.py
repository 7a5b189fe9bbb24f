# SPDX-License-Identifier: Apache-2.0
"""What a reusable SavedModel can be asked for, and what each call needs.

Each trace of a callable is a function of its own, with what it needs of a
variant's graph in it. One function with all outputs, called by thin ones,
would be smaller; but TensorFlow 1.15 gives zero gradients through the call
without a word, and a task alone would need the variables of the others (T12).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from hub_image_export import contract
from hub_image_export.export.interface import Interface
from hub_image_export.graph import inline
from hub_image_export.graph.graph_defs import ancestors, canonical, prune
from hub_image_export.graph.no_gradients import stop_before_weights
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import GraphDef
from hub_image_export.tracing.image_function import ImageFunction
from hub_image_export.tracing.variant import Variant
from hub_image_export.weights.variable import Variable


@dataclasses.dataclass(frozen=True)
class Part:
  """What one function needs of a variant.

  Attributes:
    graph_def: placeholders stand for the inputs, and for each variable.
    outputs: names of tensors by key.
    updates: names of the ops that assign variables, which run with the call.
    placeholders: names of variables by those of their placeholders.
  """

  graph_def: GraphDef
  outputs: dict[str, str]
  updates: tuple[str, ...]
  placeholders: dict[str, str]

  @classmethod
  def of(
    cls,
    variant: Variant,
    outputs: dict[str, str],
    updates: Iterable[str] = (),
    purpose: str = "",
  ) -> Part:
    """`purpose` makes names of functions in it differ from other parts'."""
    updates = tuple(updates)
    graph_def = prune(variant.graph_def, [*outputs.values(), *updates])
    present = {node.name for node in graph_def.node}
    stop_before_weights(graph_def, present & variant.variables.keys())
    graph_def = inline.name_by_content(graph_def, purpose)
    placeholders = {
      node: variable.name
      for node, variable in variant.variables.items()
      if node in present
    }
    return cls(graph_def, outputs, updates, placeholders)


@dataclasses.dataclass(frozen=True)
class Task:
  """One callable object: `__call__`, and the attributes of T8 to T10.

  Attributes:
    name: of the task.
    traces: by `training` and `return_endpoints`; the latter is False alone
      where there are no endpoints (T7).
    variables: those that any trace uses, in the module's order (T8).
    penalties: indices of the penalties that read no other variable (T10).
  """

  name: str
  traces: dict[tuple[bool, bool], Part]
  variables: tuple[Variable, ...]
  penalties: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Callables:
  """All that can be called.

  Attributes:
    interface: the default task, the shape of images, the momentum.
    tasks: the default one, whose object is the root, first.
    penalties: a part with one output each.
    variables: those of the module.
    specs: shapes and dtypes of outputs, by task and by key of an endpoint.
  """

  interface: Interface
  tasks: tuple[Task, ...]
  penalties: tuple[Part, ...]
  variables: tuple[Variable, ...]
  specs: dict[str, tf.TensorSpec]

  @classmethod
  def of(cls, function: ImageFunction, interface: Interface) -> Callables:
    training = function.variants[-1]
    penalties = tuple(
      Part.of(training, {contract.DEFAULT_OUTPUT: name}, purpose=f"penalty {i}")
      for i, name in enumerate(training.penalties)
    )
    updates = _updates_by_task(function, interface.default_task)
    names = sorted(updates, key=lambda t: (t != interface.default_task, t))
    tasks = tuple(_task(function, n, updates[n], penalties) for n in names)
    outputs = function.reference.structured_outputs
    specs = {
      key: tf.TensorSpec(tensor.shape, tensor.dtype)
      for kind in ("tasks", "endpoints")
      for key, tensor in outputs[kind].items()
    }
    return cls(interface, tasks, penalties, function.variables, specs)


def _task(
  function: ImageFunction,
  name: str,
  updates: tuple[str, ...],
  penalties: tuple[Part, ...],
) -> Task:
  traces = {}
  for is_training in (False, True):
    variant = function.variants[-1] if is_training else function.inference
    default = {contract.DEFAULT_OUTPUT: variant.tasks[name]}
    kinds = {False: default}
    if variant.endpoints:
      kinds[True] = {**default, **variant.endpoints}
    for with_endpoints, outputs in kinds.items():
      traces[is_training, with_endpoints] = Part.of(
        variant,
        outputs,
        updates if is_training else (),
        f"{name} {is_training} {with_endpoints}",
      )
  used = {v for part in traces.values() for v in part.placeholders.values()}
  return Task(
    name,
    traces,
    tuple(v for v in function.variables if v.name in used),
    tuple(
      i
      for i, part in enumerate(penalties)
      if used.issuperset(part.placeholders.values())
    ),
  )


def _updates_by_task(
  function: ImageFunction, default_task: str
) -> dict[str, tuple[str, ...]]:
  """Which updates each task makes when it trains: of what it reads.

  A task that is trained alone does not compute what only others need. What no
  task reads, the default one updates.
  """
  inference, training = function.inference, function.variants[-1]
  nodes = {node.name: node for node in training.graph_def.node}
  target = {
    update: training.variables[canonical(nodes[update].input[0])].name
    for update in training.updates
  }
  found = {}
  for task in inference.tasks:
    read = set[str]()
    for variant in (inference, training):
      outputs = [variant.tasks[task], *variant.endpoints.values()]
      read |= _variables_behind(variant, outputs)
    made: list[str] = []
    while True:
      more = [u for u in target if target[u] in read and u not in made]
      if not more:
        break
      made += more
      read |= _variables_behind(training, more)
    found[task] = made
  made_by_all = {update for made in found.values() for update in made}
  found[default_task] += [u for u in target if u not in made_by_all]
  return {
    task: tuple(u for u in training.updates if u in made)
    for task, made in found.items()
  }


def _variables_behind(variant: Variant, tensors: Iterable[str]) -> set[str]:
  before = ancestors(variant.graph_def, tensors, controls=False)
  return {v.name for node, v in variant.variables.items() if node in before}
