# SPDX-License-Identifier: Apache-2.0
"""Rules about fine-tuning that the files show (F4, F5, H1)."""

from __future__ import annotations

from collections.abc import Iterable

from hub_image_export import contract
from hub_image_export.checker.judged import (
  FLOAT32,
  JudgedModule,
  JudgedSignature,
  JudgedVariant,
  dims_of,
  dtype_name,
  shape_text,
)
from hub_image_export.checker.report import Found
from hub_image_export.tensorflow_api import private
from hub_image_export.untrusted.graph import PLACEHOLDER_OPS, Graph, node_name

_FUSED_BATCH_NORM = "FusedBatchNorm"


def check_fine_tuning(module: JudgedModule) -> Found:
  for variant in module.variants:
    yield from _check_updates_without_asking(variant)
    yield from _check_placeholders(variant)
    yield from _check_custom_gradients(variant)
  if module.train is not None:
    yield from _check_update_ops(module.train)
  variant = module.train or module.main
  if variant.variables and not variant.trainable:
    text = (
      f"Got {len(variant.variables)} variables, none of which is in "
      "TRAINABLE_VARIABLES; expected the weights there, so that consumers can "
      "fine-tune them."
    )
    yield "no-trainable-variables", variant.where(), text


def check_hyperparameters(module: JudgedModule) -> Found:
  for variant in module.variants:
    for signature in _signatures_with_momentum(variant):
      yield from _check_momentum_input(signature)
  found = momentum_input(module.train) if module.train else None
  if module.train and found:
    signature, tensor = found
    updates = module.train.collection(contract.UPDATE_OPS)
    if node_name(tensor) not in module.train.graph.ancestors(updates):
      text = (
        "No update of a moving average depends on batch_norm_momentum; "
        "expected it to be their decay. Use it in batch norm, or leave the "
        "signature out."
      )
      yield "bn-hparams-dead", signature.where(tensor), text


def _check_update_ops(variant: JudgedVariant) -> Found:
  entries = variant.collection(contract.UPDATE_OPS)
  reached = variant.graph.ancestors(entries)
  moved, left_out = set(), {}
  for name, targets in variant.updates.items():
    if name in reached:
      moved.update(targets)
    else:
      left_out.update(dict.fromkeys(targets, name))
  for variable in sorted((left_out.keys() | _unused_averages(variant)) - moved):
    how = left_out.get(variable, "no operation")
    text = (
      f"It is updated by {how}, which no entry of UPDATE_OPS reaches; "
      "expected every moving average to be. Add the update to UPDATE_OPS."
    )
    yield "no-update-ops", variant.where(variable), text
  if entries and not moved:
    text = (
      f"Got {len(entries)} UPDATE_OPS, none of which assigns to a variable; "
      "expected the updates of moving averages. Put the assignments there."
    )
    yield "update-ops-dead", variant.where(entries[0]), text


class _Training(Graph):
  """A graph in which batch norm that trains does not read its averages.

  It ignores them, but for the update, even where the fused op takes them as
  inputs. Batch norm that is frozen (in inference mode, within the training
  graph) normalizes with them, and needs no updates.
  """

  def inputs(self, name: str) -> list[str]:
    node = self.nodes.get(name)
    if node is None or not node.op.startswith(_FUSED_BATCH_NORM):
      return super().inputs(name)
    if "is_training" in node.attr and not node.attr["is_training"].b:
      return super().inputs(name)
    return [node_name(tensor) for tensor in self.data_inputs(name)[:3]]


def _unused_averages(variant: JudgedVariant) -> set[str]:
  """Variables called `moving_…` that the training outputs do not use."""
  graph = _Training(variant.meta_graph.graph_def)
  used = graph.ancestors(variant.output_tensors)
  names = {v for v in variant.variables if "moving_" in v.rpartition("/")[2]}
  return names - used


def _check_updates_without_asking(variant: JudgedVariant) -> Found:
  updates = variant.updates
  for signature in variant.image_signatures:
    reached = variant.graph.ancestors(signature.output_tensors)
    for name in sorted(reached & updates.keys()):
      text = (
        f"Evaluating the outputs assigns to {updates[name][0]}; expected that "
        "only UPDATE_OPS do. Remove the dependency of the outputs."
      )
      yield "updates-without-asking", signature.where(name), text


def _check_placeholders(variant: JudgedVariant) -> Found:
  entries = variant.collection(contract.UPDATE_OPS)
  for signature in variant.image_signatures:
    outputs, fed = signature.output_tensors, signature.input_tensors
    for what, tensors in (("output", outputs), (contract.UPDATE_OPS, entries)):
      for name in _unfed(variant.graph, tensors, fed):
        text = (
          f"It depends on the placeholder {name}, which is no input of this "
          "signature, so running it fails. Use one placeholder for `images` "
          "in all signatures, and constants for the rest."
        )
        yield "unfed-placeholder", signature.where(what), text
  losses = variant.collection(contract.REGULARIZATION_LOSSES)
  for name in _unfed(variant.graph, losses, ()):
    text = (
      f"A loss depends on the placeholder {name}; expected weights alone, as "
      "consumers get these losses without any input. Take it out."
    )
    place = variant.where(contract.REGULARIZATION_LOSSES)
    yield "unfed-placeholder", place, text


def _unfed(graph: Graph, tensors: list[str], fed: Iterable[str]) -> list[str]:
  """Placeholders behind `tensors` that are not among the `fed` tensors."""
  fed_nodes = {node_name(tensor) for tensor in fed}
  reached = graph.ancestors(tensors, stop=fed_nodes) - fed_nodes
  return sorted(name for name in reached if graph.op(name) in PLACEHOLDER_OPS)


def _check_custom_gradients(variant: JudgedVariant) -> Found:
  # What stands in a function counts, whether it is called or not.
  unused = variant.graph.nodes.keys() - variant.behind_outputs
  for node in variant.graph.all_nodes():
    if private.CUSTOM_GRADIENT in node.attr and node.name not in unused:
      gradient = node.attr[private.CUSTOM_GRADIENT].s.decode("utf-8", "replace")
      text = (
        f'Got a {node.op} with the gradient "{gradient}", a Python function '
        "of the author's process; elsewhere it is missing or another one. "
        "Drop the custom gradient."
      )
      yield "not-differentiable", variant.where(node.name), text


def _signatures_with_momentum(variant: JudgedVariant) -> list[JudgedSignature]:
  """The signatures that are to take `batch_norm_momentum` (H1)."""
  names = map(contract.bn_hparams_signature, contract.TASKS)
  signatures = variant.signatures
  return [signatures[name] for name in names if name in signatures]


def momentum_input(
  variant: JudgedVariant,
) -> tuple[JudgedSignature, str] | None:
  """A signature with `batch_norm_momentum`, and that tensor (H1)."""
  for signature in _signatures_with_momentum(variant):
    if contract.BATCH_NORM_MOMENTUM in signature.inputs:
      return signature, signature.inputs[contract.BATCH_NORM_MOMENTUM].name
  return None


def _check_momentum_input(signature: JudgedSignature) -> Found:
  info = signature.inputs.get(contract.BATCH_NORM_MOMENTUM)
  shape = dims_of(info)
  if info is None:
    text = f"Got the inputs {sorted(signature.inputs)[:10]}"
  elif info.dtype != FLOAT32 or shape != ():
    text = f"Got {dtype_name(info.dtype)} {shape_text(shape)}"
  else:
    return
  text += (
    "; expected a float32 scalar batch_norm_momentum. Add it, or leave the "
    "signature out."
  )
  yield "bn-hparams-dead", signature.where(), text
