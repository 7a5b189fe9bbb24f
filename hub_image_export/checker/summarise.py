"""Collects `Report.summary` from a module's protos."""

from __future__ import annotations

from typing import Any

from hub_image_export import contract
from hub_image_export.checker import module as modules
from hub_image_export.checker.reading.image_size import expected_size
from hub_image_export.checker.report import clean

_MAX_ENDPOINTS = 1000


def summarise(module: modules.Module) -> dict[str, Any]:
  """JSON values; `docs/rules.md` documents them."""
  main = module.main
  size = expected_size(main) if main else None
  return {
    "variants": [sorted(map(clean, v.tags)) for v in module.variants],
    "tasks": [t for t in contract.TASKS if main and t in main.signatures],
    "image_size": list(size) if size else None,
    "variable_size": bool(main) and _variable_size(main),
    "signatures": _signatures(main) if main else {},
    "parameters": main.parameters(main.variables) if main else 0,
    "trainable_parameters": _trainable_parameters(module),
    "tensorflow": _tensorflow_version(main) if main else None,
    "ran": False,
    "why_not_run": "nothing was to be run",
  }


def _signatures(variant: modules.Variant) -> dict[str, Any]:
  found = {}
  for name in variant.image_signatures:
    outputs = variant.signatures[name].outputs
    width = None
    if contract.DEFAULT_OUTPUT in outputs:
      shape = modules.dims(outputs[contract.DEFAULT_OUTPUT].tensor_shape)
      width = shape[-1] if shape else None
    endpoints = sorted(set(outputs) - {contract.DEFAULT_OUTPUT})
    endpoints = [clean(key) for key in endpoints[:_MAX_ENDPOINTS]]
    found[name] = {"width": width, "endpoints": endpoints}
  return found


def _variable_size(variant: modules.Variant) -> bool:
  for name in variant.image_signatures:
    inputs = variant.signatures[name].inputs
    if contract.IMAGES in inputs:
      shape = modules.dims(inputs[contract.IMAGES].tensor_shape)
      return shape is None or None in shape[1:3]
  return False


def _trainable_parameters(module: modules.Module) -> int:
  variant = module.train or module.main
  return variant.parameters(set(variant.trainable)) if variant else 0


def _tensorflow_version(variant: modules.Variant) -> str | None:
  return clean(variant.meta_graph.meta_info_def.tensorflow_version) or None
