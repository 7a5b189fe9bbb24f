# SPDX-License-Identifier: Apache-2.0
"""The version of the package: here and nowhere else; and what it runs on."""

import importlib.metadata

__version__ = "0.1.0"

_DISTRIBUTIONS = (
  "tensorflow",
  "tensorflow-cpu",
  "tensorflow-hub",
  "setuptools",
)


def installed() -> list[str]:
  """Names and versions: this package, and what it is particular about."""
  found = [f"hub_image_export {__version__}"]
  for name in _DISTRIBUTIONS:
    try:
      found.append(f"{name} {importlib.metadata.version(name)}")
    except importlib.metadata.PackageNotFoundError:
      continue
  return found
