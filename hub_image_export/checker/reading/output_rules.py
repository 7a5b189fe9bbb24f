# SPDX-License-Identifier: Apache-2.0
"""Rules about outputs that the files show (C3 to C7, C10)."""

from __future__ import annotations

from hub_image_export import contract
from hub_image_export.checker.judged import (
  JudgedModule,
  JudgedSignature,
  JudgedVariant,
)
from hub_image_export.checker.reading.near_misses import hint
from hub_image_export.checker.reading.noise_rules import check_noise
from hub_image_export.checker.reading.tensor_rules import check_result_tensor
from hub_image_export.checker.report import Found
from hub_image_export.checker.shapes import dims_of
from hub_image_export.untrusted.graph import Graph, node_name

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
    for signature in variant.image_signatures:
      if signature.tensor is not None:
        yield from check_last_op(
          variant.graph,
          signature.tensor,
          signature.where(_DEFAULT),
          signature in classifying,
        )
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
  yield from check_result_tensor(info.dtype, dims_of(info), place, is_dense)


def _check_endpoints(signature: JudgedSignature) -> Found:
  for key in sorted(signature.outputs):
    if key != contract.DEFAULT_OUTPUT and "/" not in key.strip("/"):
      text = (
        'Got a key without a prefix; expected "Architecture/'
        f'{key.strip("/")}". Put the name of the architecture in front.'
      )
      place = signature.where(f'output "{key}"')
      yield "endpoint-unprefixed", place, text


def check_last_op(
  graph: Graph, tensor: str, place: str, is_classifier: bool
) -> Found:
  """What a result comes from: scores are linear, features no distribution."""
  source = node_name(graph.behind_forwarding(tensor))
  op, comes = graph.op(source), f"It comes from the {graph.op(source)} {source}"
  if is_classifier and op in _PROBABILITY_OPS:
    text = f"{comes}; expected logits. Give what goes into it."
    yield "probabilities", place, text
  elif is_classifier and op in _NEVER_NEGATIVE:
    text = (
      f"{comes}, which gives no negative numbers; expected linear scores. Give "
      "what goes into it."
    )
    yield "probabilities", place, text, "warning"
  elif op == "Softmax":
    yield "probabilities", place, f"{comes}; {FEATURES_EXPECTED}", "warning"


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
