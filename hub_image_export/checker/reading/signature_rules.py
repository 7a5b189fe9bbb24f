# SPDX-License-Identifier: Apache-2.0
"""Rules about which signatures there are (C1, C2, C6, C9, C10, H1)."""

from __future__ import annotations

from hub_image_export import contract
from hub_image_export.checker.judged import (
  IMAGE_SIGNATURES,
  JudgedModule,
  JudgedSignature,
  JudgedVariant,
)
from hub_image_export.checker.reading.near_misses import (
  hint,
  is_misspelt,
  near_misses,
)
from hub_image_export.checker.report import Found

_BN_SIGNATURES = tuple(map(contract.bn_hparams_signature, contract.TASKS))


def check_signatures(module: JudgedModule) -> Found:
  for variant in module.variants:
    yield from _check_tensors_exist(variant)
    yield from _check_tasks(variant)
    for signature in variant.image_signatures:
      yield from _check_extra_inputs(signature)
  yield from _check_default_is_a_task(module.main)


def _check_tensors_exist(variant: JudgedVariant) -> Found:
  """Signatures and collections that name nodes which are not there."""
  text = (
    "A signature or collection names this tensor, and the graph does not have "
    "it. Export again."
  )
  named = variant.output_tensors
  for signature in variant.signatures.values():
    named += signature.input_tensors
  for collection in (contract.UPDATE_OPS, contract.REGULARIZATION_LOSSES):
    named += variant.collection(collection)
  for tensor in named:
    if tensor.split(":", 1)[0] not in variant.graph.nodes:
      yield "unloadable", variant.where(tensor), text


def _check_tasks(variant: JudgedVariant) -> Found:
  names = variant.signatures
  got = f"Got the signatures {sorted(names)[:10]}; expected"
  if contract.DEFAULT_SIGNATURE not in names:
    text = (
      f'{got} one named "default"{hint(names, contract.DEFAULT_SIGNATURE)}. '
      "Serve the primary task under that name, too."
    )
    yield "no-default-signature", variant.where(), text
  if not variant.tasks:
    hints = "".join(hint(names, task) for task in contract.TASKS)
    either = " or ".join(f'"{task}"' for task in contract.TASKS)
    yield "no-task-signature", variant.where(), f"{got} {either}{hints}."
    return
  for task in (task for task in contract.TASKS if task not in names):
    other = contract.bn_hparams_signature(task)
    if other in names:
      text = (
        f'Got "{other}" without "{task}"; expected both, as consumers without '
        "hyperparameters ask for the task. Serve it, too."
      )
      yield "no-task-signature", variant.where(), text
    # Next to a right name, other names may mean something else.
    for name in sorted(names.keys() - set(IMAGE_SIGNATURES)):
      if is_misspelt(name, task):
        text = f'Got a signature "{name}"; expected "{task}". Rename it.'
        yield "no-task-signature", names[name].where(), text, "warning"


def _check_extra_inputs(signature: JudgedSignature) -> Found:
  allowed = {contract.IMAGES}
  if signature.name in _BN_SIGNATURES:
    allowed.add(contract.BATCH_NORM_MOMENTUM)
  inputs = set(signature.inputs)
  if contract.IMAGES not in inputs:
    # One misnamed input is `images-missing`, and no extra one.
    inputs -= set(near_misses(inputs, contract.IMAGES)[:1]) or inputs
  text = (
    f"Got an input beside {sorted(allowed)}, which every caller would have to "
    "know. Make it a constant, or move it to a signature of its own."
  )
  for name in sorted(inputs - allowed):
    yield "extra-input", signature.where(f'input "{name}"'), text


def _check_default_is_a_task(variant: JudgedVariant) -> Found:
  """C9, C10, as far as files show it; values are compared when it runs."""
  default = variant.signatures.get(contract.DEFAULT_SIGNATURE)
  tasks = variant.tasks
  if default is None or not tasks:
    return
  widths = [variant.signatures[task].width for task in tasks]
  if default.width and all(w and w != default.width for w in widths):
    text = (
      f"Got {default.width} values per image; expected those of one of "
      f"{tasks}, whose widths are {widths}. Serve a task as `default`."
    )
    yield "default-differs", default.where(), text
    return
  primary = variant.primary_task
  if primary is None:
    return
  missing = set(variant.signatures[primary].outputs) - set(default.outputs)
  if missing - {contract.DEFAULT_OUTPUT}:
    text = (
      f"It lacks the endpoints {sorted(missing)[:5]} of {primary}, the task "
      "that it serves; expected the same outputs. Add them."
    )
    yield "default-differs", default.where(), text
