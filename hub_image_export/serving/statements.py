# SPDX-License-Identifier: Apache-2.0
"""What a module's manifest says that its graph does not."""

from __future__ import annotations

import dataclasses
import os

from hub_image_export import contract
from hub_image_export.untrusted import limits

FILE = "manifest.json"


@dataclasses.dataclass(frozen=True)
class Statements:
  """What a manifest says and a module's graph does not.

  Attributes:
    activation: what the classifier ended in before it was made to give
      logits: "softmax", "sigmoid", or None.
    preprocessing: what the module does to the pixels; None if it is unknown.
  """

  activation: str | None = None
  preprocessing: str | None = None


def read_manifest(module: str) -> Statements:
  """Reads the manifest of a module; nothing is stated where it has none."""
  path = os.path.join(module, contract.EXTRA_ASSETS_DIR, FILE)
  try:
    with open(path, encoding="utf-8") as file:
      content = limits.parse_json(file.read(limits.MAX_JSON_BYTES + 1))
    activations, preprocessing = (
      dict(content["activations"]),
      content["preprocessing"],
    )
  except (OSError, ValueError, KeyError, TypeError):
    return Statements()  # There is none, or another tool's.
  activation = activations.get(contract.IMAGE_CLASSIFICATION)
  return Statements(
    activation if activation in ("softmax", "sigmoid") else None,
    preprocessing if isinstance(preprocessing, str) else None,
  )
