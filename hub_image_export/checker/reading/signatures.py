"""Rules about which signatures there are (C1, C2, C6, C9, C10, H1)."""

from __future__ import annotations

from hub_image_export import contract
from hub_image_export.checker import module as modules
from hub_image_export.checker.reading.near_misses import (
  hint,
  is_misspelt,
  near_misses,
)
from hub_image_export.checker.reading.variants import fingerprint, width
from hub_image_export.checker.report import Findings

_BN_SIGNATURES = tuple(map(contract.bn_hparams_signature, contract.TASKS))


def check_signatures(module: modules.Module, findings: Findings) -> None:
  for variant in module.variants:
    _check_tensors_exist(variant, findings)
    _check_default(variant, findings)
    _check_tasks(variant, findings)
    for signature in variant.image_signatures:
      _check_extra_inputs(variant, signature, findings)
  main = module.main
  if main and contract.DEFAULT_SIGNATURE in main.signatures:
    _check_default_is_a_task(main, findings)


def _check_tensors_exist(variant: modules.Variant, findings: Findings) -> None:
  """Signatures and collections that name nodes which are not there."""
  named = variant.output_tensors()
  for signature in variant.signatures:
    named += variant.inputs(signature)
  for collection in (contract.UPDATE_OPS, contract.REGULARIZATION_LOSSES):
    named += variant.collection(collection)
  for tensor in named:
    if tensor.split(":", 1)[0] not in variant.graph.nodes:
      findings.add(
        "unloadable",
        variant.where(tensor=tensor),
        "A signature or collection names this tensor, and the graph does not "
        "have it. Export again.",
      )


def _check_default(variant: modules.Variant, findings: Findings) -> None:
  names = list(variant.signatures)
  if contract.DEFAULT_SIGNATURE not in names:
    findings.add(
      "no-default-signature",
      variant.where(),
      f'Got the signatures {sorted(names)[:10]}; expected one named "default"'
      f"{hint(names, contract.DEFAULT_SIGNATURE)}. Serve the primary task "
      "under that name, too.",
    )


def _check_tasks(variant: modules.Variant, findings: Findings) -> None:
  names = list(variant.signatures)
  has_task = any(task in names for task in contract.TASKS)
  meant = [_meant(names, task, has_task) for task in contract.TASKS]
  if not has_task:
    hints = "".join(hint(names, task) for task in contract.TASKS)
    findings.add(
      "no-task-signature",
      variant.where(),
      f"Got the signatures {sorted(names)[:10]}; expected "
      f'"{contract.IMAGE_FEATURE_VECTOR}" or '
      f'"{contract.IMAGE_CLASSIFICATION}"{hints}.',
    )
    return
  for task, misspelt in zip(contract.TASKS, meant):
    for name in misspelt:
      findings.add(
        "no-task-signature",
        variant.where(name),
        f'Got a signature "{name}"; expected "{task}". Rename it.',
        severity="warning",
      )


def _meant(names: list[str], task: str, has_task: bool) -> list[str]:
  """Names that stand for `task`; next to a right one, only misspellings."""
  if task in names:
    return []
  others = [n for n in names if n not in modules.IMAGE_SIGNATURES]
  if has_task:
    return [name for name in others if is_misspelt(name, task)]
  return near_misses(others, task)


def _check_extra_inputs(
  variant: modules.Variant, signature: str, findings: Findings
) -> None:
  allowed = {contract.IMAGES}
  if signature in _BN_SIGNATURES:
    allowed.add(contract.BATCH_NORM_MOMENTUM)
  inputs = set(variant.signatures[signature].inputs)
  if contract.IMAGES not in inputs:
    # One misnamed input is `images-missing`, and no extra one.
    inputs -= set(near_misses(inputs, contract.IMAGES)[:1]) or inputs
  for name in sorted(inputs - allowed):
    findings.add(
      "extra-input",
      variant.where(signature, f'input "{name}"'),
      f"Got an input beside {sorted(allowed)}, which every caller would have "
      "to know. Make it a constant, or move it to a signature of its own.",
    )


def _check_default_is_a_task(
  variant: modules.Variant, findings: Findings
) -> None:
  """C9, C10, as far as files show it; values are compared when it runs."""
  tasks = [task for task in contract.TASKS if task in variant.signatures]
  if not tasks:
    return
  place = variant.where(contract.DEFAULT_SIGNATURE)
  widths = {task: width(variant, task) for task in tasks}
  ours = width(variant, contract.DEFAULT_SIGNATURE)
  if ours and all(w and w != ours for w in widths.values()):
    findings.add(
      "default-differs",
      place,
      f"Got {ours} values per image; expected those of one of {tasks}, whose "
      f"widths are {list(widths.values())}. Serve a task as `default`.",
    )
    return
  primary = primary_task(variant)
  if primary is None:
    return
  missing = set(variant.signatures[primary].outputs) - set(
    variant.signatures[contract.DEFAULT_SIGNATURE].outputs
  )
  if missing - {contract.DEFAULT_OUTPUT}:
    findings.add(
      "default-differs",
      place,
      f"It lacks the endpoints {sorted(missing)[:5]} of {primary}, the task "
      "that it serves; expected the same outputs. Add them.",
    )


def primary_task(variant: modules.Variant) -> str | None:
  """The task whose result `default` is, where the graph shows it."""
  if contract.DEFAULT_SIGNATURE not in variant.signatures:
    return None
  tensor = variant.output(contract.DEFAULT_SIGNATURE)
  known: dict[str, bytes] = {}
  for task in contract.TASKS:
    if task not in variant.signatures or tensor is None:
      continue
    other = variant.output(task)
    if other is None:
      continue
    ours, theirs = map(variant.graph.behind_forwarding, (tensor, other))
    if ours == theirs or fingerprint(variant.graph, ours, known) == fingerprint(
      variant.graph, theirs, known
    ):
      return task
  return None
