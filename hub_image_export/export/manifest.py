# SPDX-License-Identifier: Apache-2.0
"""The manifest: what a module is, how it was made, the hashes of its files.

It stands in `assets.extra/`, where every loader lets it be, beside the names
of the classes and a golden example. It has no time, no path and no user's
name, so that the same model gives the same bytes.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import importlib.metadata
import json
import os

from hub_image_export import contract, version
from hub_image_export.export.interface import Interface
from hub_image_export.files.listing import files_of, sha256_of
from hub_image_export.serving.statements import FILE, LABELS_FILE
from hub_image_export.tensorflow_api.compat import hub, tf
from hub_image_export.tracing.image_function import ImageFunction

FORMAT = 1


def extra_assets(module: str) -> str:
  """The directory for what the format does not know; made if need be."""
  path = os.path.join(module, contract.EXTRA_ASSETS_DIR)
  os.makedirs(path, exist_ok=True)
  return path


def write_labels(module: str, labels: tuple[str, ...] | None) -> None:
  """Writes the names of the classes, one a line, where there are any."""
  if labels:
    path = os.path.join(extra_assets(module), LABELS_FILE)
    with open(path, "wb") as file:
      file.write(_as_text(labels))


def write_manifest(
  module: str, function: ImageFunction, interface: Interface
) -> None:
  """Writes the manifest of a module whose other files are all there.

  Args:
    module: its directory.
    function: of which it was made.
    interface: likewise.
  """
  content = {
    "activations": dict(function.inference.activations),
    "default_task": interface.default_task,
    "files": _hashes(module),
    "format": FORMAT,
    "image_size": [interface.height, interface.width],
    "labels_sha256": _labels_hash(interface.labels),
    "preprocessing": interface.preprocessing,
    "source": function.name,
    "variable_size": interface.variable_size,
    "versions": _versions(),
    "widths": dict(function.widths),
  }
  path = os.path.join(extra_assets(module), FILE)
  with open(path, "w", encoding="utf-8") as file:
    file.write(json.dumps(content, indent=1, sort_keys=True) + "\n")


def _hashes(module: str) -> dict[str, str]:
  names = files_of(module)
  paths = [os.path.join(module, *name.split("/")) for name in names]
  with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    return dict(zip(names, pool.map(sha256_of, paths)))


def _as_text(labels: tuple[str, ...]) -> bytes:
  return "".join(f"{label}\n" for label in labels).encode()


def _labels_hash(labels: tuple[str, ...] | None) -> str | None:
  """Of the names, one a line, in UTF-8."""
  return hashlib.sha256(_as_text(labels)).hexdigest() if labels else None


def _versions() -> dict[str, str]:
  return {
    "hub_image_export": version.__version__,
    "keras": importlib.metadata.version("keras"),
    "tensorflow": tf.__version__,
    "tensorflow_hub": hub.__version__,
  }
