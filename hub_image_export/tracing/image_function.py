# SPDX-License-Identifier: Apache-2.0
"""The one form that every source takes before it becomes a module."""

from __future__ import annotations

import dataclasses
from typing import Any

from absl import logging

from hub_image_export import contract
from hub_image_export.graph import (
  custom_gradients as gradients,
  random_numbers as randomness,
)
from hub_image_export.sources.source import Source
from hub_image_export.tracing.trace import Plan, Trace, trace
from hub_image_export.tracing.training_independence import (
  training_cannot_differ,
)
from hub_image_export.tracing.variable_table import VariableTable, used
from hub_image_export.tracing.variants import Variant, make_variant
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
    layers: the Keras layers that the source called, not those within them.
  """

  name: str
  variants: tuple[Variant, ...]
  variables: tuple[Variable, ...]
  reference: Any
  plan: Plan
  made: frozenset[str] = frozenset()
  layers: tuple[Any, ...] = ()

  @property
  def inference(self) -> Variant:
    return self.variants[0]

  @property
  def widths(self) -> dict[str, int]:
    """Number of features or classes, by task (C3, C6)."""
    tasks = self.reference.structured_outputs["tasks"]
    return {task: tensor.shape[1] for task, tensor in tasks.items()}


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
  table = VariableTable()
  traces = [trace(plan, training=False)]
  may_train = plan.source.training_parameter is not None
  if (
    training is not False
    and may_train
    and not training_cannot_differ(plan.source, traces[0])
  ):
    traces.append(trace(plan, training=True))
  variants = []
  for i, traced in enumerate(traces):
    _check_collections(traced, drop_collections)
    variants.append(make_variant(traced, bool(i), table.add(traced)))
  _check_deterministic(variants[0])
  kept = _kept_variants(variants, training, plan.source)
  _check_gradients(traces[: len(kept)], allow_custom_gradients)
  _check_dropout(variants[-1])
  _tell_of_changes(kept)
  _tell_of_initial_values(traces[0], plan.source.name)
  return ImageFunction(
    name=plan.source.name,
    variants=tuple(kept),
    variables=used(v for kept_v in kept for v in kept_v.variables.values()),
    reference=traces[0].wrapped,
    plan=plan,
    made=traces[0].made | traces[-1].made,
    layers=tuple(traces[0].layers.roots),
  )


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
      f"training=True, but {source.name} "
      + (
        "computes the same for training as for inference"
        if source.training_parameter is not None
        else "takes no is_training or training argument"
      )
      + ": a module has a training variant only if it differs (F2). Leave "
      "training out"
    )
  return variants[:1]


def _check_collections(traced: Trace, dropped: tuple[str, ...]) -> None:
  refused = [
    key
    for key in traced.collections
    if key not in contract.SUPPORTED_COLLECTIONS and key not in dropped
  ]
  if refused:
    raise ValueError(
      f"the function fills the collections {refused}, which a module cannot "
      f"have. Leave them out with drop_collections={tuple(refused)}"
    )


def _check_deterministic(inference: Variant) -> None:
  drawn = randomness.random_ops(inference.graph_def, inference.outputs)
  if drawn:
    raise ValueError(
      f"the inference variant draws random numbers ({sorted(drawn)[:3]}): its "
      "outputs must depend on the images alone. Draw them in training only"
    )


def _check_gradients(traces: list[Trace], allowed: bool) -> None:
  """Tells of gradients that a consumer's process cannot have."""
  found = gradients.unnatural_gradients(traces[-1].wrapped.graph)
  if not found:
    return
  ops = "; ".join(f"{name} ({what})" for name, what in found.items())
  message = (
    f"these ops have gradients of their own: {ops}. They exist in this process "
    "only: consumers would fine-tune with TensorFlow's gradients instead"
  )
  if len(traces) > 1 and not allowed:
    raise ValueError(
      f"{message}. Accept that with allow_custom_gradients=True, or make no "
      "training variant with training=False"
    )
  logging.warning("%s", message[0].upper() + message[1:])


def _check_dropout(variant: Variant) -> None:
  for task, output in variant.tasks.items():
    found = randomness.dropout_on(variant.graph_def, output)
    if found:
      raise ValueError(
        f"dropout is applied to the output for {task} (by {found!r}): a "
        "module leaves that to its consumers (C5). Return what goes into it"
      )


def _tell_of_changes(variants: list[Variant]) -> None:
  for activation in variants[0].activations.values():
    logging.info(
      "The classifier ends in a %s: taken off, the module serves logits (C7)",
      activation,
    )
  for name in dict.fromkeys(n for v in variants for n in v.dropped_penalties):
    logging.warning(
      "The penalty %r depends on the images: dropped, a module can serve "
      "penalties of weights alone (F4)",
      name,
    )
  for variant in variants:
    if variant.needs_newer:
      logging.warning(
        "The %s variant needs TensorFlow %s or newer: %s",
        variant.name,
        variant.oldest_tensorflow,
        " ".join(variant.needs_newer[:3]),
      )


def _tell_of_initial_values(traced: Trace, name: str) -> None:
  if traced.made:
    logging.warning(
      "%s makes %d variables itself: the module has their initial values. Are "
      "these the trained ones?",
      name[0].upper() + name[1:],
      len(traced.made),
    )


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
    f"batch_norm_momentum=True, but {function.name} "
    + (
      "does not use the momentum when it trains: it has no batch norm layers, "
      "or ignores its batch_norm_momentum argument"
      if len(function.variants) == 2
      else "has no training variant, and so no moving averages to update"
    )
    + " (H1). Leave batch_norm_momentum out"
  )
