# SPDX-License-Identifier: Apache-2.0
"""What a module may not be made of, and what its author is told of.

Each function looks at what was traced, or at the graphs that were made of it.
"""

from __future__ import annotations

from absl import logging

from hub_image_export import contract
from hub_image_export.arguments import called
from hub_image_export.graph import (
  custom_gradients as gradients,
  probabilities,
  random_numbers as randomness,
)
from hub_image_export.graph.graph_defs import ancestors, canonical
from hub_image_export.graph.no_gradients import op_without_gradient
from hub_image_export.graph.oldest_tensorflow import trained_loops
from hub_image_export.tensorflow_api.protos import GraphDef
from hub_image_export.tracing.trace import Trace
from hub_image_export.tracing.variant import Variant


def check_deterministic(inference: Variant) -> None:
  drawn = randomness.random_ops(inference.graph_def, inference.outputs)
  if drawn:
    raise ValueError(
      f"the inference variant draws random numbers ({sorted(drawn)[:3]}): its "
      "outputs must depend on the images alone. Draw them in training only"
    )


def check_gradients(trace: Trace, allowed: bool) -> None:
  """Tells of gradients that a consumer's process cannot have.

  Args:
    trace: what consumers fine-tune: of training, where that is a variant.
    allowed: by the user, or because nobody is to fine-tune it.
  """
  found = gradients.unnatural_gradients(trace.wrapped.graph, trace.graph_def)
  if not found:
    return
  ops = "; ".join(f"{name} ({what})" for name, what in found.items())
  message = (
    f"these ops have gradients of their own: {ops}. They exist in this process "
    "only: consumers would fine-tune with TensorFlow's gradients instead"
  )
  if not allowed:
    raise ValueError(
      f"{message}. Accept that with {called('allow_custom_gradients', True)}, "
      f"or make a module to infer with alone: {called('training', False)}"
    )
  logging.warning("%s", message[0].upper() + message[1:])


def check_differentiable(variants: list[Variant]) -> None:
  """A training variant can be trained (F2)."""
  training = variants[-1]
  if not training.is_training:
    return
  op = op_without_gradient(training.graph_def, training.tasks.values())
  if op:
    raise ValueError(
      f"TensorFlow has no gradient of the op {op}, which lies between weights "
      "and outputs when training: consumers could not fine-tune. Put it before "
      f"all weights, or leave training out with {called('training', False)}"
    )


def check_weights(variants: list[Variant]) -> None:
  """Fine-tuning moves the weights that inference computes with (F3)."""
  weights = {v.name for v in variants[0].variables.values() if v.trainable}
  left = sorted(weights - {v.name for v in variants[-1].variables.values()})
  if left:
    raise ValueError(
      f"{len(left)} trainable variables are used for inference, and not when "
      f"training ({', '.join(left[:3])}): consumers would fine-tune others. "
      "Expected the same names each time the function is called, or "
      "trainable=False for what only inference uses"
    )


def check_averages(variants: list[Variant]) -> None:
  """Batch norm that trains has to move its averages (F4).

  Fused batch norm that trains ignores the averages that it is given.
  """
  if len(variants) < 2:
    return
  training = variants[-1]
  known = {v.name for variant in variants for v in variant.variables.values()}
  moving = {name for name in known if "moving_" in name.rpartition("/")[2]}

  def others(placeholders: set[str]) -> list[str]:
    seen = (v.name for k, v in training.variables.items() if k in placeholders)
    return sorted(moving.difference(seen))

  updated = {
    canonical(node.input[0])
    for node in training.graph_def.node
    if node.name in training.updates
  }
  still = others(updated) and others(updated | _used(training))
  if still:
    raise ValueError(
      f"{len(still)} moving averages are neither used nor updated when "
      f"training ({', '.join(still[:3])}): consumers who fine-tune would infer "
      "with old ones. Expected an update of each in UPDATE_OPS (F4), or "
      f"{called('training', False)}"
    )


def _used(training: Variant) -> set[str]:
  """What outputs depend on; not the averages given to batch norm."""
  graph_def = GraphDef()
  graph_def.CopyFrom(training.graph_def)
  for node in graph_def.node:
    if node.op.startswith("FusedBatchNorm") and node.attr["is_training"].b:
      del node.input[3:]
  return ancestors(graph_def, training.outputs)


def check_dropout(variant: Variant) -> None:
  for task, output in variant.tasks.items():
    found = randomness.dropout_on(variant.graph_def, output)
    if found:
      raise ValueError(
        f"dropout is applied to the output for {task} (by {found!r}): a "
        "module leaves that to its consumers (C5). Return what goes into it"
      )


def tell_of_changes(variants: list[Variant]) -> None:
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
  last = variants[-1]
  if last.fine_tuned_from != last.oldest_tensorflow:
    logging.warning(
      "Fine-tuning the %s variant needs TensorFlow %s or newer: %s",
      last.name,
      last.fine_tuned_from,
      " ".join(last.fine_tuning_needs_newer[:3]),
    )
  loops = trained_loops(last.graph_def)
  if loops:
    logging.warning(
      "The rounds of the loops %s are not fixed: TensorFlow differentiates one "
      "use of such a module in a graph, not two. Consumers who fine-tune call "
      "it once, on all images",
      loops[:3],
    )


def tell_of_probable_classifier(traced: Trace, inference: Variant) -> None:
  """What comes out of a softmax or sigmoid is rarely meant as features."""
  output = inference.tasks.get(contract.IMAGE_FEATURE_VECTOR)
  if output is None:
    return
  origin = probabilities.origin(inference.graph_def, output)
  if not origin.alone:
    return
  layer = traced.layers.before_the_last_kernel()
  cure = "return what the classifier gets"
  if traced.layers.calls:
    name = called("feature_layer", *([layer] if layer else []))
    cure = f"name a layer before the classifier: {name}"
  logging.warning(
    "The feature vector comes from %s: are these the probabilities of a "
    "classifier? Make a module for classification of it (C7): %s. For "
    "features %s",
    origin,
    called("make_classification_module"),
    cure,
  )


def initial_values(traces: list[Trace]) -> frozenset[str]:
  """Names of those variables whose values nobody has trained, it seems."""
  imports = [traced.imports for traced in traces]
  known = (names for i in imports for names in (i.loaded, i.unset))
  return traces[0].made.difference(*known)
