# SPDX-License-Identifier: Apache-2.0
"""What a module is, as its protos tell: `Report.summary`."""

from __future__ import annotations

from typing import Any

from hub_image_export import contract
from hub_image_export.checker.judged import JudgedModule, JudgedSignature
from hub_image_export.checker.report import clean
from hub_image_export.checker.shapes import dims_of

_MAX_ENDPOINTS = 1000


def describe(module: JudgedModule) -> dict[str, Any]:
  """JSON values; `docs/rules.md` documents them."""
  main, trained = module.main, module.train or module.main
  size = main.image_size
  return {
    "variants": [sorted(map(clean, v.tags)) for v in module.variants],
    "tasks": main.tasks,
    "image_size": list(size) if size else None,
    "variable_size": _takes_any_size(main.image_signatures),
    "signatures": {s.name: _outputs(s) for s in main.image_signatures},
    "parameters": main.parameters(main.variables),
    "trainable_parameters": trained.parameters(set(trained.trainable)),
    "tensorflow": clean(main.tensorflow) or None,
    "ran": False,
    "why_not_run": "nothing was to be run",
  }


def _outputs(signature: JudgedSignature) -> dict[str, Any]:
  shape = dims_of(signature.outputs.get(contract.DEFAULT_OUTPUT))
  endpoints = sorted(set(signature.outputs) - {contract.DEFAULT_OUTPUT})
  return {
    "width": shape[-1] if shape else None,
    "endpoints": [clean(key) for key in endpoints[:_MAX_ENDPOINTS]],
  }


def _takes_any_size(signatures: list[JudgedSignature]) -> bool:
  """Whether height or width of the first `images` are unknown."""
  infos = [signature.inputs.get(contract.IMAGES) for signature in signatures]
  first = next((info for info in infos if info is not None), None)
  if first is None:
    return False
  shape = dims_of(first)
  return shape is None or None in shape[1:3]
