# SPDX-License-Identifier: Apache-2.0
"""The one form that every source takes before it becomes a module."""

from __future__ import annotations

import dataclasses
from typing import Any

from hub_image_export import contract
from hub_image_export.arguments import called
from hub_image_export.sources.source import Source
from hub_image_export.tracing import left_out, policies
from hub_image_export.tracing.passes import make_variant
from hub_image_export.tracing.trace import Plan, Trace, trace
from hub_image_export.tracing.training_independence import (
  training_cannot_differ,
)
from hub_image_export.tracing.variable_table import VariableTable, used
from hub_image_export.tracing.variant import Variant
from hub_image_export.weights.variable import Variable


@dataclasses.dataclass(frozen=True)
class ImageFunction:
  """A graph for each variant, and the variables that they share.

  Attributes:
    name: of the source, for messages.
    variants: the inference variant, then, if there is one, the training one.
    variables: those that any variant uses, in the order of their names (F3).
    reference: the source as it was traced for inference, callable on eager
      images: what a module is verified against.
    plan: the source itself, and what is asked of it: to run it anew.
    made: names of the variables that the source itself makes in each graph.
    initial: those of them that have nothing but their initial values.
    layers: the Keras layers that the source called, not those within them.
    layer_shapes: of the outputs of all Keras layers, by name, in order.
  """

  name: str
  variants: tuple[Variant, ...]
  variables: tuple[Variable, ...]
  reference: Any
  plan: Plan
  made: frozenset[str] = frozenset()
  initial: frozenset[str] = frozenset()
  layers: tuple[Any, ...] = ()
  layer_shapes: tuple[tuple[str, str], ...] = ()

  @property
  def has_groups(self) -> bool:
    """Whether it has grouped convolutions, which were split."""
    return any(v.unsplit for v in self.variants)

  @property
  def unsplit(self) -> ImageFunction:
    """The same with grouped convolutions whole: for later TensorFlow."""
    variants = tuple(v.unsplit or v for v in self.variants)
    return dataclasses.replace(self, variants=variants)

  @property
  def random_state(self) -> list[Variable]:
    """What the source seeds its draws from, and a module does not have."""
    return [state for v in self.variants for state in v.random_state]

  @property
  def inference(self) -> Variant:
    return self.variants[0]

  @property
  def widths(self) -> dict[str, int]:
    """Number of features or classes, by task (C3, C6)."""
    tasks = self.reference.structured_outputs["tasks"]
    # Lists have numbers, whatever version of TensorShape is in force.
    return {task: tensor.shape.as_list()[1] for task, tensor in tasks.items()}


def make_image_function(
  plan: Plan,
  *,
  training: bool | None = None,
  drop_collections: tuple[str, ...] = (),
  allow_custom_gradients: bool = False,
) -> ImageFunction:
  """Traces the source's variants and makes their graphs.

  Args:
    plan: what to trace.
    training: True asks for a training variant, False forbids it, None makes
      one if its graph differs from that for inference (F2).
    drop_collections: collections that the function fills and a module cannot
      have.
    allow_custom_gradients: accept that fine-tuning uses TensorFlow's own
      gradients where the function has others.

  Raises:
    ValueError: the contract forbids what the source does.
  """
  traces = _traces(plan, training)
  left_out.check_collections(traces, drop_collections)
  plan, traces = left_out.in_both(plan, traces)
  variants = _variants(plan, traces)
  policies.check_deterministic(variants[0])
  kept = _kept_variants(variants, training, plan.source)
  policies.check_gradients(
    traces[len(kept) - 1], allow_custom_gradients or training is False
  )
  policies.check_dropout(variants[-1])
  policies.check_weights(kept)
  policies.check_averages(kept)
  policies.check_differentiable(kept)
  policies.tell_of_changes(kept)
  policies.tell_of_probable_classifier(traces[0], kept[0])
  return ImageFunction(
    name=plan.source.name,
    variants=tuple(kept),
    variables=used(v for kept_v in kept for v in kept_v.variables.values()),
    reference=traces[0].wrapped,
    plan=plan,
    made=traces[0].made | traces[-1].made,
    initial=policies.initial_values(traces),
    layers=tuple(traces[0].layers.roots),
    layer_shapes=tuple(traces[0].layers.shapes.items()),
  )


def _traces(plan: Plan, training: bool | None) -> list[Trace]:
  """For inference and, where that may be another graph, for training."""
  inference = trace(plan, training=False)
  if (
    training is False
    or plan.source.training_parameter is None
    or training_cannot_differ(plan.source, inference)
  ):
    return [inference]
  return [inference, trace(plan, training=True)]


def _variants(plan: Plan, traces: list[Trace]) -> list[Variant]:
  """One for each trace; what they capture has the same name in all."""
  table = VariableTable()
  variants: list[Variant] = []
  for traced in traces:
    variants.append(
      make_variant(
        traced,
        table.add(traced),
        inference=variants[0] if variants else None,
        find_decays=_has_plain_averages(plan, traced),
      )
    )
  return variants


def _has_plain_averages(plan: Plan, traced: Trace) -> bool:
  """Whether momentum is wanted of a function that knows of none (H1).

  Batch norm layers of Keras take it; what else they average is their own.
  """
  plain = bool(traced.made) or not traced.layers.layers
  return plan.momentum and not plan.source.takes_momentum and plain


def _kept_variants(
  variants: list[Variant], training: bool | None, source: Source
) -> list[Variant]:
  """Leaves a training variant out that is no other than inference (F2)."""
  differ = len(variants) == 2 and not variants[1].computes_the_same_as(
    variants[0]
  )
  if differ:
    return variants
  if training:
    raise ValueError(
      f"{called('training', True)}, but {source.name} "
      + (
        "computes the same for training as for inference"
        if source.training_parameter is not None
        else "takes no is_training or training argument"
      )
      + ": a module has a training variant only if it differs (F2). Leave "
      f"{called('training')} out"
    )
  return variants[:1]


def check_momentum_is_used(function: ImageFunction) -> None:
  """Raises ValueError if batch norm momentum changes nothing (H1)."""
  training = function.variants[-1]
  name = contract.BATCH_NORM_MOMENTUM
  if len(function.variants) == 2 and any(
    name in (i.lstrip("^").split(":")[0] for i in node.input)
    for node in training.graph_def.node
  ):
    return
  raise ValueError(
    f"{called('batch_norm_momentum', True)}, but {function.name} "
    + (
      "does not use the momentum when it trains: it has no batch norm layers, "
      "no updates like mean -= (mean - batch_mean) * 0.1 with a constant decay "
      "in UPDATE_OPS, and no argument batch_norm_momentum that it uses"
      if len(function.variants) == 2
      else "has no training variant, and so no moving averages to update"
    )
    + f" (H1). Leave {called('batch_norm_momentum')} out"
  )
