# SPDX-License-Identifier: Apache-2.0
"""A module against its own manifest, if it has one (F6).

Modules of this package say in `assets.extra/manifest.json` what they are.
Others may have a file of this name that means something else: it is not
looked at.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Generator
from typing import Any

from google.protobuf import struct_pb2

from hub_image_export import contract
from hub_image_export.checker.judged import JudgedModule, JudgedVariant
from hub_image_export.checker.reading.description import describe
from hub_image_export.checker.reading.directory_rules import list_files
from hub_image_export.checker.report import Found, Problem

_MANIFEST = f"{contract.EXTRA_ASSETS_DIR}/manifest.json"
_FORMAT = 1
_MAX_BYTES = 2**24


def check_manifest(module: JudgedModule) -> Found:
  """Compares a module with what its manifest says of it."""
  described = describe(module)
  signatures = described["signatures"]
  facts = {
    "image_size": described["image_size"],
    "variable_size": described["variable_size"],
    "widths": {task: signatures[task]["width"] for task in described["tasks"]},
    "labels_sha256": _labels_hash(module.main),
  }
  yield from compare_with_manifest(module.directory, facts)


def compare_with_manifest(directory: str, facts: dict[str, Any]) -> Found:
  """Compares files, and the `facts` of a module, with its manifest."""
  manifest = yield from read_extra_json(directory, _MANIFEST)
  if manifest is None:
    return
  yield from _check_files(directory, manifest.get("files"))
  for key, found in facts.items():
    if manifest.get(key) != found:
      text = (
        f"The module has {found}; expected {manifest.get(key)}, as the "
        "manifest says. Get the module again, from where it was published."
      )
      yield "manifest-differs", f"{_MANIFEST}, {key}", text


def stated_image_size(directory: str) -> tuple[int, int] | None:
  """What the manifest says, if there is one that is understood."""
  reading = read_extra_json(directory, _MANIFEST)
  try:
    while True:
      next(reading)  # Its problems are told by `compare_with_manifest`.
  except StopIteration as end:
    size: Any = (end.value or {}).get("image_size")
  if not isinstance(size, list) or len(size) != 2:
    return None
  height, width = size
  known = all(type(side) is int and side > 0 for side in size)
  return (height, width) if known else None


def read_extra_json(
  directory: str, name: str
) -> Generator[Problem, None, dict[str, Any] | None]:
  """Gives a JSON object of the format that is known here, or None."""
  path = os.path.join(directory, *name.split("/"))
  if not _is_plain_file(path) or os.path.getsize(path) > _MAX_BYTES:
    return None
  try:
    with open(path, encoding="utf-8") as file:
      content = json.load(file)
  except (ValueError, RecursionError) as error:
    yield "unchecked", name, f"It is no JSON ({error}); left out."
    return None
  if not isinstance(content, dict) or content.get("format") != _FORMAT:
    return None
  return content


def _is_plain_file(path: str) -> bool:
  return os.path.isfile(path) and not os.path.islink(path)


def _check_files(directory: str, hashes: Any) -> Found:
  """Every file has the hash that the manifest gives it, and none is new."""
  hashes = hashes if isinstance(hashes, dict) else {}
  present = {
    path
    for path in list_files(directory)[0]
    if _is_plain_file(os.path.join(directory, path)) and path != _MANIFEST
  }
  for name in sorted(present | set(hashes)):
    if name not in hashes:
      problem = "The manifest does not list this file"
    elif name not in present:
      problem = "The file is missing, or no plain file"
    elif _sha256(os.path.join(directory, name)) != hashes[name]:
      problem = "The file has other bytes than the manifest says"
    else:
      continue
    text = f"{problem}; expected the module as it was published. Get it again."
    yield "manifest-differs", name, text


def _sha256(path: str) -> str:
  digest = hashlib.sha256()
  with open(path, "rb") as file:
    while chunk := file.read(2**20):
      digest.update(chunk)
  return digest.hexdigest()


def _labels_hash(variant: JudgedVariant) -> str | None:
  """Of the attached names of classes, one a line, in UTF-8."""
  for value in variant.attached(contract.CLASS_LABELS):
    names = struct_pb2.ListValue.FromString(value)
    text = "".join(f"{name}\n" for name in names)
    return hashlib.sha256(text.encode()).hexdigest()
  return None
