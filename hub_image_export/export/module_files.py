# SPDX-License-Identifier: Apache-2.0
"""The files of a module in TF1 Hub format (F1)."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from hub_image_export import contract
from hub_image_export.errors import reason
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import ModuleDef
from hub_image_export.untrusted import saved_models


def write_module(
  directory: str, handler: Any, write_variables: Callable[[bytes], None]
) -> None:
  """Writes a module; the same graphs give the same bytes.

  Args:
    directory: exists, and is empty.
    handler: hub's `SavedModelHandler`, with the graphs.
    write_variables: writes a checkpoint under the prefix that it is given.

  Raises:
    OSError: a file cannot be written.
  """
  try:
    handler.export(directory, write_variables)
  except tf.errors.OpError as error:
    # TensorFlow's own writers: the disk is full, say.
    raise OSError(reason(error)) from error
  _make_reproducible(directory)
  module_def = ModuleDef()
  module_def.format = ModuleDef.FORMAT_V3
  with open(os.path.join(directory, contract.MODULE_DEF_FILE), "wb") as file:
    file.write(module_def.SerializeToString())


def _make_reproducible(directory: str) -> None:
  """Writes a SavedModel proto again, with its maps in the order of the keys."""
  proto = saved_models.parse(directory)
  path = os.path.join(directory, contract.SAVED_MODEL_FILE)
  with open(path, "wb") as file:
    file.write(proto.SerializeToString(deterministic=True))
