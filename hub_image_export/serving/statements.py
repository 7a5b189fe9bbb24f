# SPDX-License-Identifier: Apache-2.0
"""What a module's manifest says that its graph does not."""

from __future__ import annotations

import dataclasses
import os

from hub_image_export import contract
from hub_image_export.untrusted import limits

FILE, LABELS_FILE = "manifest.json", "labels.txt"


@dataclasses.dataclass(frozen=True)
class Statements:
  """What a manifest says and a module's graph does not.

  Attributes:
    activation: what the classifier ended in before it was made to give
      logits: "softmax", "sigmoid", or None.
    preprocessing: what the module does to the pixels; None if it is unknown.
    default_task: the task that the default signature serves (C9).
    image_size: the expected height and width.
    labels: names of the classes, of the file beside the manifest.
  """

  activation: str | None = None
  preprocessing: str | None = None
  default_task: str | None = None
  image_size: tuple[int, int] | None = None
  labels: list[str] | None = None


def read_manifest(module: str) -> Statements:
  """Reads the manifest of a module; nothing is stated where it has none."""
  extra = os.path.join(module, contract.EXTRA_ASSETS_DIR)
  try:
    content = limits.parse_json(_read(os.path.join(extra, FILE)))
    activation = dict(content["activations"]).get(contract.IMAGE_CLASSIFICATION)
    preprocessing, task = content["preprocessing"], content["default_task"]
    height, width = content["image_size"]
    labels = None
    if content["labels_sha256"] is not None:
      labels = _read(os.path.join(extra, LABELS_FILE)).splitlines()
  except (OSError, ValueError, KeyError, TypeError):
    return Statements()  # There is none, or another tool's.
  known_size = isinstance(height, int) and isinstance(width, int)
  return Statements(
    activation if activation in ("softmax", "sigmoid") else None,
    preprocessing if isinstance(preprocessing, str) else None,
    task if task in contract.TASKS else None,
    (height, width) if known_size else None,
    labels,
  )


def _read(path: str) -> str:
  with open(path, encoding="utf-8") as file:
    return file.read(limits.MAX_JSON_BYTES + 1)
