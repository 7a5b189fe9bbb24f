# SPDX-License-Identifier: Apache-2.0
"""Rules about fine-tuning that the files show (F4, F5, H1)."""

from __future__ import annotations

from collections.abc import Iterable

from hub_image_export import contract
from hub_image_export.checker.judged import (
  JudgedModule,
  JudgedSignature,
  JudgedVariant,
)
from hub_image_export.checker.report import Found
from hub_image_export.checker.shapes import (
  FLOAT32,
  dims_of,
  dtype_name,
  shape_text,
)
from hub_image_export.tensorflow_api import private
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.untrusted.graph import PLACEHOLDER_OPS, Graph, node_name

_ROUNDING = 1e-6


def check_fine_tuning(module: JudgedModule) -> Found:
  for variant in module.variants:
    yield from _check_placeholders(variant)
    yield from _check_custom_gradients(variant)
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
  for loss in losses:
    if not variant.graph.ancestors([loss]) & variant.variables.keys():
      text = (
        "It depends on no variable; expected a penalty of weights, which "
        "training lessens. Compute it from them, or leave it out."
      )
      place = variant.where(f"{contract.REGULARIZATION_LOSSES}, {loss}")
      yield "penalty-ill-formed", place, text
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
    yield from _check_default_momentum(signature, info.name)
    return
  text += (
    "; expected a float32 scalar batch_norm_momentum. Add it, or leave the "
    "signature out."
  )
  yield "bn-hparams-dead", signature.where(), text


def _check_default_momentum(signature: JudgedSignature, tensor: str) -> Found:
  """What the signatures without the input compute with."""
  graph, usual = signature.variant.graph, contract.DEFAULT_BATCH_NORM_MOMENTUM
  source = node_name(graph.behind_forwarding(tensor))
  constant = graph.op(source) == "Const" and graph.nodes[source].attr["value"]
  if not constant or constant.tensor.tensor_shape.dim:
    return
  momentum = float(tf.make_ndarray(constant.tensor))
  if abs(momentum - usual) > _ROUNDING:
    text = (
      f"Got a momentum of {momentum:g} where none is given; expected {usual}. "
      "Make that the default."
    )
    yield "bn-hparams-dead", signature.where(tensor), text
