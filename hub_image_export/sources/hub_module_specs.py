# SPDX-License-Identifier: Apache-2.0
"""Specs of TF1 Hub modules that exist, from wherever a user has them."""

from __future__ import annotations

import os
from typing import Any

from hub_image_export import arguments, contract
from hub_image_export.tensorflow_api import private_hub
from hub_image_export.tensorflow_api.compat import hub
from hub_image_export.tensorflow_api.runtime import quiet
from hub_image_export.tensorflow_api.types import ModuleSpec
from hub_image_export.untrusted import saved_models


def load(name: str, path: Any) -> ModuleSpec:
  """The spec of a module on disk.

  Args:
    name: of the argument, for messages.
    path: its directory.

  Raises:
    TypeError: `path` is no path.
    ValueError: no module is there, or it is damaged.
    SourceError: it could touch the machine.
  """
  what = "a TF1 Hub module's directory (or its spec)"
  path = arguments.check_local_path(name, path, what)
  if not os.path.isfile(os.path.join(path, contract.MODULE_DEF_FILE)):
    raise arguments.wrong_value(
      name, path, f"the path of {what}, with a {contract.MODULE_DEF_FILE}"
    )
  try:
    with quiet():
      spec = hub.load_module_spec(path)
  except Exception as error:  # Whatever the readers of protocol buffers raise.
    raise ValueError(
      f"{name} is {arguments.shown(path)}, a module that cannot be read: "
      f"{type(error).__name__}: {error!s:.300}. Is it whole? Copy it again"
    ) from error
  saved_models.refuse_reaching_out(path)
  return spec


def checkpoint_of(name: str, spec: ModuleSpec) -> str:
  """Its prefix; TypeError for specs without, as `create_module_spec` has."""
  stored = private_hub.checkpoint_of(spec)
  if stored is None:
    raise arguments.wrong_type(
      name,
      spec,
      "a module with weights: one that was exported, and loaded with "
      "hub.load_module_spec",
    )
  return stored
