"""Rules about outputs that the files show (C3 to C7, C10)."""

from __future__ import annotations

from typing import Any

from hub_image_export import contract
from hub_image_export.checker import module as modules
from hub_image_export.checker.reading.near_misses import hint
from hub_image_export.checker.reading.signatures import primary_task
from hub_image_export.checker.reading.variants import width
from hub_image_export.checker.report import Findings
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.untrusted.graph import Graph, is_random, node_name

_FLOAT32 = tf.float32.as_datatype_enum
_PROBABILITY_OPS = ("Softmax", "Sigmoid")
# What a dropout mask is made of, between the random op and the product.
_MASK_OPS = frozenset(
  {
    "Add", "AddV2", "Sub", "Mul", "RealDiv", "Cast", "Floor", "Round",
    "Greater", "GreaterEqual", "Less", "LessEqual", "Identity", "LogicalNot",
    "Select", "SelectV2", "Maximum", "Minimum",
  }
)  # fmt: skip
_PRODUCTS = frozenset({"Mul", "RealDiv", "Select", "SelectV2"})
_MERGES = frozenset({"Merge", "RefMerge", "Add", "AddV2", "BiasAdd"})


def check_outputs(module: modules.Module, findings: Findings) -> None:
  for variant in module.variants:
    for signature in variant.image_signatures:
      _check_default_output(variant, signature, findings)
      _check_endpoints(variant, signature, findings)
      _check_dropout(variant, signature, findings)
    for signature in classifying_signatures(variant):
      _check_logits(variant, signature, findings)
    _check_widths_of_a_task(variant, findings)


def classifying_signatures(variant: modules.Variant) -> list[str]:
  """The signatures whose result is class scores."""
  task = contract.IMAGE_CLASSIFICATION
  names = [task, contract.bn_hparams_signature(task)]
  if primary_task(variant) == task:
    names.append(contract.DEFAULT_SIGNATURE)
  return [name for name in names if name in variant.signatures]


def _check_default_output(
  variant: modules.Variant, signature: str, findings: Findings
) -> None:
  outputs = variant.signatures[signature].outputs
  if contract.DEFAULT_OUTPUT not in outputs:
    findings.add(
      "output-missing",
      variant.where(signature),
      f'Got the outputs {sorted(outputs)[:10]}; expected "default"'
      f"{hint(outputs, contract.DEFAULT_OUTPUT)}.",
    )
    return
  info = outputs[contract.DEFAULT_OUTPUT]
  place = variant.where(signature, f'output "{contract.DEFAULT_OUTPUT}"')
  if info.WhichOneof("encoding") != "name" or info.dtype != _FLOAT32:
    findings.add(
      "output-dtype",
      place,
      f"Got {modules.dtype_name(info.dtype)}"
      f"{'' if info.WhichOneof('encoding') == 'name' else ', not dense'}; "
      "expected a dense float32 tensor. Cast it inside the module.",
    )
  _check_shape(info, place, findings)


def _check_shape(info: Any, place: str, findings: Findings) -> None:
  shape = modules.dims(info.tensor_shape)
  text = f"Got the shape {modules.shown(shape)}; expected [?, width]."
  if shape is None or len(shape) != 2:
    findings.add(
      "output-rank",
      place,
      f"{text} Pool or flatten the spatial dimensions, and let the rank be "
      "known.",
    )
    return
  if shape[0] is not None:
    findings.add(
      "output-batch-fixed",
      place,
      f"{text} Let the batch size follow the input's.",
    )
  if shape[1] is None:
    findings.add(
      "output-width-unknown",
      place,
      f"{text} The width must be a constant of the module; set it with a "
      "reshape, or pool over height and width.",
    )


def _check_endpoints(
  variant: modules.Variant, signature: str, findings: Findings
) -> None:
  for key in sorted(variant.signatures[signature].outputs):
    if key != contract.DEFAULT_OUTPUT and "/" not in key.strip("/"):
      findings.add(
        "endpoint-unprefixed",
        variant.where(signature, f'output "{key}"'),
        'Got a key without a prefix; expected "Architecture/'
        f'{key.strip("/")}". Put the name of the architecture in front.',
      )


def _check_logits(
  variant: modules.Variant, signature: str, findings: Findings
) -> None:
  tensor = variant.output(signature)
  if tensor is None:
    return
  source = node_name(variant.graph.behind_forwarding(tensor))
  if variant.graph.op(source) in _PROBABILITY_OPS:
    findings.add(
      "probabilities",
      variant.where(signature, f'output "{contract.DEFAULT_OUTPUT}"'),
      f"It comes from the {variant.graph.op(source)} {source}; expected "
      "logits. Give what goes into it.",
    )


def _check_dropout(
  variant: modules.Variant, signature: str, findings: Findings
) -> None:
  tensor = variant.output(signature)
  if tensor is None:
    return
  node = _dropout(variant.graph, tensor, variant.inputs(signature))
  if node:
    findings.add(
      "dropout-on-output",
      variant.where(signature, f'output "{contract.DEFAULT_OUTPUT}"'),
      f"{node} multiplies the output with random numbers; expected none. "
      "Leave dropout of the features to the consumer.",
    )


def _dropout(graph: Graph, tensor: str, inputs: list[str]) -> str | None:
  """The node that applies a random mask to `tensor`, if there is one.

  What it masks depends on the `inputs`: random numbers times a constant are
  no dropout.
  """
  fed = {node_name(name) for name in inputs}
  pending, seen = [tensor], set()
  while pending:
    name = node_name(graph.behind_forwarding(pending.pop()))
    if name in seen:
      continue
    seen.add(name)
    if graph.op(name) not in _PRODUCTS | _MERGES:
      continue
    operands = graph.data_inputs(name)
    pending += operands
    if graph.op(name) not in _PRODUCTS:
      continue
    masked = [o for o in operands if not _is_random_mask(graph, o)]
    if len(masked) < len(operands) and fed & graph.ancestors(masked):
      return name
  return None


def _is_random_mask(graph: Graph, tensor: str) -> bool:
  pending, seen = [node_name(tensor)], set()
  while pending:
    name = pending.pop()
    if name in seen:
      continue
    seen.add(name)
    if is_random(graph.op(name)):
      return True
    if graph.op(name) in _MASK_OPS:
      pending += map(node_name, graph.data_inputs(name))
  return False


def _check_widths_of_a_task(
  variant: modules.Variant, findings: Findings
) -> None:
  """A task has one width, with hyperparameters and without (H1)."""
  for task in contract.TASKS:
    other = contract.bn_hparams_signature(task)
    if task not in variant.signatures or other not in variant.signatures:
      continue
    ours, theirs = width(variant, task), width(variant, other)
    if ours and theirs and ours != theirs:
      findings.add(
        "width-differs",
        variant.where(other),
        f"Got {theirs} values per image; expected {ours}, as in {task}.",
      )
