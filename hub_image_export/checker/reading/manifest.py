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
from google.protobuf import struct_pb2

from hub_image_export import contract
from hub_image_export.checker.module import Module, Variant
from hub_image_export.checker.reading.files import list_files
from hub_image_export.checker.reading.image_size import expected_size
from hub_image_export.checker.report import Findings
from hub_image_export.checker.running import images
from hub_image_export.checker.running.session import LoadedVariant
from hub_image_export.checker.summarise import summarise
from hub_image_export.tensorflow_api.protos import ModuleAttachment

_MANIFEST = f"{contract.EXTRA_ASSETS_DIR}/manifest.json"
_GOLDEN = f"{contract.EXTRA_ASSETS_DIR}/golden.json"
_ATTACHMENTS = "hub_module_attachments"
_FORMAT = 1
_MAX_BYTES = 2**24
_FORMULA = (
  "images[0, y, x, c] = ((37*x*x + 71*y*y + 23*x*y + 101*c) % 256) / 255"
)


def check_manifest(module: Module, findings: Findings) -> None:
  """Compares a module with what its manifest says of it."""
  manifest = _read(module.directory, _MANIFEST, findings)
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
    "labels_sha256": _labels_hash(module.main),
  }
  for key, found in facts.items():
    if manifest.get(key) != found:
      findings.add(
        "manifest-differs",
        f"{_MANIFEST}, {key}",
        f"The module has {found}; expected {manifest.get(key)}, as the "
        "manifest says. Get the module again, from where it was published.",
      )


def check_golden(
  loaded: LoadedVariant, directory: str, findings: Findings
) -> None:
  """Asks the inference variant again what it answered when it was made."""
  example = _read(directory, _GOLDEN, findings)
  if example is None:
    return
  size = expected_size(loaded.variant)
  answers = _answers(example, size)
  if answers is None:
    findings.add(
      "unchecked",
      _GOLDEN,
      f"Got an example that is not understood; expected one image of {size} "
      "by the formula of format 1, and what each task answers to it. It is "
      "left out.",
    )
    return
  tensors = loaded.outputs()
  fetches = {task: tensors[task] for task in answers if task in tensors}
  found = loaded.run(fetches, _golden_image(*size))
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


def _read(
  directory: str, name: str, findings: Findings
) -> dict[str, Any] | None:
  """A JSON object of the format that is known here, or None."""
  path = os.path.join(directory, *name.split("/"))
  if not _is_plain_file(path) or os.path.getsize(path) > _MAX_BYTES:
    return None
  try:
    with open(path, encoding="utf-8") as file:
      content = json.load(file)
  except (ValueError, RecursionError) as error:
    findings.add("unchecked", name, f"It is no JSON ({error}); left out.")
    return None
  if not isinstance(content, dict) or content.get("format") != _FORMAT:
    return None
  return content


def _is_plain_file(path: str) -> bool:
  return os.path.isfile(path) and not os.path.islink(path)


def _check_files(directory: str, hashes: Any, findings: Findings) -> None:
  """Every file has the hash that the manifest gives it, and none is new."""
  hashes = hashes if isinstance(hashes, dict) else {}
  present = _files(directory) - {_MANIFEST}
  for name in sorted(present | set(hashes)):
    if name not in hashes:
      problem = "The manifest does not list this file"
    elif name not in present:
      problem = "The file is missing, or no plain file"
    elif _sha256(os.path.join(directory, *name.split("/"))) != hashes[name]:
      problem = "The file has other bytes than the manifest says"
    else:
      continue
    findings.add(
      "manifest-differs",
      name,
      f"{problem}; expected the module as it was published. Get it again.",
    )


def _files(directory: str) -> set[str]:
  paths, _ = list_files(directory)
  return {p for p in paths if _is_plain_file(os.path.join(directory, p))}


def _sha256(path: str) -> str:
  digest = hashlib.sha256()
  with open(path, "rb") as file:
    while chunk := file.read(2**20):
      digest.update(chunk)
  return digest.hexdigest()


def _labels_hash(variant: Variant) -> str | None:
  """Of the attached names of classes, one a line, in UTF-8."""
  collections = variant.meta_graph.collection_def
  if _ATTACHMENTS not in collections:
    return None
  for value in collections[_ATTACHMENTS].bytes_list.value:
    attachment = ModuleAttachment.FromString(value)
    if attachment.key == contract.CLASS_LABELS:
      names = struct_pb2.ListValue.FromString(attachment.value)
      text = "".join(f"{name}\n" for name in names)
      return hashlib.sha256(text.encode()).hexdigest()
  return None


def _golden_image(height: int, width: int) -> np.ndarray:
  """What `_FORMULA` says, `float32 [1, height, width, 3]`."""
  y, x, c = np.indices((height, width, contract.NUM_CHANNELS))
  values = (37 * x * x + 71 * y * y + 23 * x * y + 101 * c) % 256
  return np.float32(values / 255)[None]


def _answers(
  example: dict[str, Any], size: tuple[int, int]
) -> dict[str, np.ndarray] | None:
  """By task, `[1, width]`; None if this is no example that is known here."""
  shape = [1, *size, contract.NUM_CHANNELS]
  known = {"formula": _FORMULA, "name": contract.IMAGES, "shape": shape}
  outputs = example.get("outputs")
  if example.get("input") != known or not isinstance(outputs, dict):
    return None
  try:
    return {task: np.array(v, np.float64) for task, v in outputs.items()}
  except (OverflowError, TypeError, ValueError):
    return None
