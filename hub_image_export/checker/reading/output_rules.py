# SPDX-License-Identifier: Apache-2.0
"""Rules about outputs that the files show (C3 to C7, C10)."""

from __future__ import annotations

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
from hub_image_export.checker.reading.near_misses import hint
from hub_image_export.checker.reading.noise_rules import check_noise
from hub_image_export.checker.report import Found
from hub_image_export.untrusted.graph import node_name

_DEFAULT = f'output "{contract.DEFAULT_OUTPUT}"'
_PROBABILITY_OPS = ("Softmax", "Sigmoid")
FEATURES_EXPECTED = (
  "expected features, which a classifier is put on, and no distribution. "
  "Give what stands before it, or serve it as classification."
)
_NEVER_NEGATIVE = ("Relu", "Relu6", "Softplus", "Exp", "Abs", "Square")


def check_outputs(module: JudgedModule) -> Found:
  for variant in module.variants:
    for signature in variant.image_signatures:
      yield from _check_default_output(signature)
      yield from _check_endpoints(signature)
      if signature.tensor is not None:
        yield from check_noise(signature, signature.tensor)
    classifying = classifying_signatures(variant)
    for signature in classifying:
      if signature.tensor is not None:
        yield from _check_logits(signature, signature.tensor)
    for signature in variant.image_signatures:
      if signature.tensor is not None and signature not in classifying:
        yield from _check_features(signature, signature.tensor)
    yield from _check_widths_of_a_task(variant)


def classifying_signatures(variant: JudgedVariant) -> list[JudgedSignature]:
  """The signatures whose result is class scores."""
  task = contract.IMAGE_CLASSIFICATION
  names = [task, contract.bn_hparams_signature(task)]
  if variant.primary_task == task:
    names.append(contract.DEFAULT_SIGNATURE)
  signatures = variant.signatures
  return [signatures[name] for name in names if name in signatures]


def _check_default_output(signature: JudgedSignature) -> Found:
  outputs, place = signature.outputs, signature.where(_DEFAULT)
  info = outputs.get(contract.DEFAULT_OUTPUT)
  if info is None:
    text = (
      f'Got the outputs {sorted(outputs)[:10]}; expected "default"'
      f"{hint(outputs, contract.DEFAULT_OUTPUT)}."
    )
    yield "output-missing", signature.where(), text
    return
  is_dense = info.WhichOneof("encoding") == "name"
  if not is_dense or info.dtype != FLOAT32:
    text = (
      f"Got {dtype_name(info.dtype)}{'' if is_dense else ', not dense'}; "
      "expected a dense float32 tensor. Cast it inside the module."
    )
    yield "output-dtype", place, text
  shape = dims_of(info)
  text = f"Got the shape {shape_text(shape)}; expected [?, width]."
  if shape is None or len(shape) != 2:
    advice = "Pool or flatten the spatial dimensions, and let the rank be"
    yield "output-rank", place, f"{text} {advice} known."
    return
  if shape[0] is not None:
    advice = "Let the batch size follow the input's."
    yield "output-batch-fixed", place, f"{text} {advice}"
  if shape[1] is None:
    advice = (
      "The width must be a constant of the module; set it with a reshape, or "
      "pool over height and width."
    )
    yield "output-width-unknown", place, f"{text} {advice}"


def _check_endpoints(signature: JudgedSignature) -> Found:
  for key in sorted(signature.outputs):
    if key != contract.DEFAULT_OUTPUT and "/" not in key.strip("/"):
      text = (
        'Got a key without a prefix; expected "Architecture/'
        f'{key.strip("/")}". Put the name of the architecture in front.'
      )
      place = signature.where(f'output "{key}"')
      yield "endpoint-unprefixed", place, text


def _check_features(signature: JudgedSignature, tensor: str) -> Found:
  graph = signature.variant.graph
  source = node_name(graph.behind_forwarding(tensor))
  if graph.op(source) == "Softmax":
    text = f"It comes from the Softmax {source}; {FEATURES_EXPECTED}"
    yield "probabilities", signature.where(_DEFAULT), text, "warning"


def _check_logits(signature: JudgedSignature, tensor: str) -> Found:
  graph, place = signature.variant.graph, signature.where(_DEFAULT)
  source = node_name(graph.behind_forwarding(tensor))
  comes = f"It comes from the {graph.op(source)} {source}"
  if graph.op(source) in _PROBABILITY_OPS:
    text = f"{comes}; expected logits. Give what goes into it."
    yield "probabilities", place, text
  elif graph.op(source) in _NEVER_NEGATIVE:
    text = (
      f"{comes}, which gives no negative numbers; expected linear scores. Give "
      "what goes into it."
    )
    yield "probabilities", place, text, "warning"


def _check_widths_of_a_task(variant: JudgedVariant) -> Found:
  """A task has one width, with hyperparameters and without (H1)."""
  for task in variant.tasks:
    other = variant.signatures.get(contract.bn_hparams_signature(task))
    ours = variant.signatures[task].width
    if other and ours and other.width and ours != other.width:
      text = (
        f"Got {other.width} values per image; expected {ours}, as in {task}."
      )
      yield "width-differs", other.where(), text
