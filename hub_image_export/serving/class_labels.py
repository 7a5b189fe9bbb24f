# SPDX-License-Identifier: Apache-2.0
"""The names of a module's classes, from wherever the module has them."""

from __future__ import annotations

import os
from typing import Any

from google.protobuf import struct_pb2

from hub_image_export import contract
from hub_image_export.serving.statements import read_manifest
from hub_image_export.sources import hub_module_specs


def load_labels(module_or_spec: object) -> list[str] | None:
  """The labels that a module carries, or None if it has none.

  Args:
    module_or_spec: path of a module of either format, a `hub.Module`, or a
      `hub.ModuleSpec`.

  Raises:
    TypeError, ValueError: it is nothing of the kind.
  """
  path = module_or_spec
  if isinstance(path, os.PathLike):
    path = os.fspath(path)
  if isinstance(path, str) and not os.path.exists(
    os.path.join(path, contract.MODULE_DEF_FILE)
  ):
    stated = read_manifest(path)
    if stated.image_size is not None:  # Of the TF2 format.
      return stated.labels
  if not hasattr(module_or_spec, "get_attached_message"):
    module_or_spec = hub_module_specs.load("module_or_spec", module_or_spec)
  return attached_labels(module_or_spec)


def attached_labels(module_or_spec: Any) -> list[str] | None:
  """The names of classes that a `hub.Module`, or its spec, carries (C8)."""
  message = module_or_spec.get_attached_message(
    contract.CLASS_LABELS, struct_pb2.ListValue
  )
  return None if message is None else list(message)
