"""The manifest and the golden example of a module, if it has them.

Modules of this package say in `assets.extra/manifest.json` what they are, and
in `assets.extra/golden.json` what they answered when they were made. Others
may have files of these names that mean something else: they are let be.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any

import numpy as np

from hub_image_export import contract
from hub_image_export.checker import images
from hub_image_export.checker.image_size import expected_size
from hub_image_export.checker.module import Module
from hub_image_export.checker.report import Findings
from hub_image_export.checker.session import LoadedVariant
from hub_image_export.checker.summarise import summarise

_MANIFEST = f"{contract.EXTRA_ASSETS_DIR}/manifest.json"
_GOLDEN = f"{contract.EXTRA_ASSETS_DIR}/golden.json"
_FORMAT = 1
_MAX_BYTES = 2**24
_FORMULA = (
  "images[0, y, x, c] = ((37*x*x + 71*y*y + 23*x*y + 101*c) % 256) / 255"
)


def check_manifest(module: Module, findings: Findings) -> None:
  """Compares a module with what its manifest says of it."""
  manifest = _read(module.directory, _MANIFEST)
  if manifest is None:
    return
  _check_files(module.directory, manifest.get("files"), findings)
  summary = summarise(module)
  facts = {
    "image_size": summary["image_size"],
    "variable_size": summary["variable_size"],
    "widths": {
      task: summary["signatures"][task]["width"] for task in summary["tasks"]
    },
    "labels_sha256": _labels_hash(module),
  }
  for key, found in facts.items():
    if manifest.get(key) != found:
      findings.add(
        "manifest-differs",
        f"{_MANIFEST}, {key}",
        f"The module has {found}; expected {manifest.get(key)}, as the "
        "manifest says. Get the module again, from where it was published.",
      )


def check_golden(loaded: LoadedVariant, directory: str, findings: Findings):
  """Asks the inference variant again what it answered when it was made."""
  example = _read(directory, _GOLDEN)
  if example is None:
    return
  size = expected_size(loaded.variant)
  answers = example.get("outputs")
  if not _is_known(example, size) or not _are_numbers(answers):
    findings.add(
      "unchecked",
      _GOLDEN,
      f"Got an example that is not understood; expected one image of {size} "
      "by the formula of format 1, and numbers. It is left out.",
    )
    return
  fetches = {t: loaded.output(t) for t in contract.TASKS if t in answers}
  fetches = {
    task: tensor
    for task, tensor in fetches.items()
    if task in loaded.outputs()
  }
  found = loaded.run(fetches, _golden_images(*size))
  for task, expected in answers.items():
    apart = images.distance(found.get(task, ()), expected)
    if not apart <= images.SAME:
      findings.add(
        "golden-differs",
        loaded.variant.where(task),
        f"Got an answer to the golden example that is {apart:.1e} apart "
        f"(relative); expected that of {_GOLDEN}. The weights, the graph or "
        "TensorFlow changed what the module computes.",
      )


def _read(directory: str, name: str) -> dict[str, Any] | None:
  """A JSON object of the format that is known here, or None."""
  path = os.path.join(directory, *name.split("/"))
  if not os.path.isfile(path) or os.path.getsize(path) > _MAX_BYTES:
    return None
  try:
    with open(path, encoding="utf-8") as file:
      content = json.load(file)
  except (ValueError, RecursionError):
    return None
  if not isinstance(content, dict) or content.get("format") != _FORMAT:
    return None
  return content
