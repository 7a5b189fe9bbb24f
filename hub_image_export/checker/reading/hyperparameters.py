"""Rules about the signatures that take hyperparameters (H1)."""

from __future__ import annotations

from hub_image_export import contract
from hub_image_export.checker import module as modules
from hub_image_export.checker.report import Findings
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.untrusted.graph import node_name

_FLOAT32 = tf.float32.as_datatype_enum


def check_hyperparameters(module: modules.Module, findings: Findings) -> None:
  for variant in module.variants:
    _check_momentum_inputs(variant, findings)
  if module.train is not None:
    _check_momentum_used(module.train, findings)


def momentum_input(variant: modules.Variant) -> tuple[str, str] | None:
  """A signature with `batch_norm_momentum`, and that tensor (H1)."""
  for task in contract.TASKS:
    name = contract.bn_hparams_signature(task)
    if name in variant.signatures:
      inputs = variant.signatures[name].inputs
      if contract.BATCH_NORM_MOMENTUM in inputs:
        return name, inputs[contract.BATCH_NORM_MOMENTUM].name
  return None


def _check_momentum_inputs(
  variant: modules.Variant, findings: Findings
) -> None:
  for task in contract.TASKS:
    name = contract.bn_hparams_signature(task)
    if name not in variant.signatures:
      continue
    inputs = variant.signatures[name].inputs
    if contract.BATCH_NORM_MOMENTUM not in inputs:
      text = f"Got the inputs {sorted(inputs)[:10]}"
    else:
      info = inputs[contract.BATCH_NORM_MOMENTUM]
      shape = modules.dims(info.tensor_shape)
      if info.dtype == _FLOAT32 and shape == ():
        continue
      text = f"Got {modules.dtype_name(info.dtype)} {modules.shown(shape)}"
    findings.add(
      "bn-hparams-dead",
      variant.where(name),
      f"{text}; expected a float32 scalar batch_norm_momentum. Add it, or "
      "leave the signature out.",
    )


def _check_momentum_used(variant: modules.Variant, findings: Findings) -> None:
  found = momentum_input(variant)
  if found is None:
    return
  signature, tensor = found
  entries = variant.collection(contract.UPDATE_OPS)
  if node_name(tensor) not in variant.graph.ancestors(entries):
    findings.add(
      "bn-hparams-dead",
      variant.where(signature, tensor),
      "No update of a moving average depends on batch_norm_momentum; "
      "expected it to be their decay. Use it in batch norm, or leave the "
      "signature out.",
    )
