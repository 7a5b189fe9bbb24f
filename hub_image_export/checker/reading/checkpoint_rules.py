# SPDX-License-Identifier: Apache-2.0
"""The checkpoint against the variables of each variant (F3)."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from hub_image_export import contract
from hub_image_export.checker.judged import JudgedModule, JudgedVariant
from hub_image_export.checker.report import Found
from hub_image_export.checker.shapes import dtype_name, element_count
from hub_image_export.checker.variables import JudgedVariable
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.untrusted.graph import VARIABLE_OPS

_READ_ERRORS = (
  tf.errors.OpError,
  IndexError,
  RuntimeError,
  TypeError,
  ValueError,
)


def check_checkpoint(module: JudgedModule) -> Found:
  """Compares names, shapes and types, and reads every tensor once.

  At most one tensor is in memory at a time.
  """
  prefix = os.path.join(module.directory, contract.VARIABLES_PREFIX)
  reader = None
  if os.path.exists(prefix + ".index"):
    try:
      reader = tf.train.load_checkpoint(prefix)
    except _READ_ERRORS as error:
      text = (
        f"The checkpoint cannot be opened ({_reason(error)}). Export or "
        "download it again."
      )
      place = contract.VARIABLES_PREFIX + ".index"
      yield "corrupt-file", place, text
      return
  shapes = reader.get_variable_to_shape_map() if reader else {}
  dtypes = reader.get_variable_to_dtype_map() if reader else {}
  for variant in module.variants:
    for variable in variant.variables.values():
      problem = _missing(variable, shapes, dtypes)
      if problem:
        place = variant.where(variable.name)
        yield "missing-variables", place, problem
    yield from _check_uncollected(variant)
  if reader:
    available = _data_bytes(prefix)
    for name in sorted(shapes):
      place = f"{contract.VARIABLES_PREFIX}, {name}"
      size = element_count(tuple(shapes[name])) * (dtypes[name].size or 0)
      if size > available:
        text = (
          f"Got a tensor of shape {shapes[name]} in {available} bytes of data. "
          "Export or download it again."
        )
        yield "corrupt-file", place, text
      else:
        yield from _check_values(reader, name, place)


def _reason(error: Exception) -> str:
  return str(getattr(error, "message", None) or error)[:200]


def _data_bytes(prefix: str) -> int:
  folder, name = os.path.split(prefix)
  return sum(
    entry.stat().st_size
    for entry in os.scandir(folder)
    if entry.name.startswith(name + ".data-")
  )


def _missing(
  variable: JudgedVariable, shapes: dict[str, list[int]], dtypes: dict[str, Any]
) -> str | None:
  """Why the checkpoint does not restore a variable."""
  key, shape, dtype = variable.key, variable.shape, variable.dtype
  if shape is None and dtype == 0:
    return (
      "The graph has no such variable, though the collection `variables` "
      "names it. Export again."
    )
  if key not in shapes:
    return (
      "The checkpoint does not have this variable; expected the variables "
      "of every variant in it. Export with a checkpoint of all variants."
    )
  is_type = dtype in (0, dtypes[key].as_datatype_enum)
  if shape is not None and not (is_type and list(shape) == list(shapes[key])):
    return (
      f"Got {dtypes[key].name} {list(shapes[key])} in the checkpoint; expected "
      f"{dtype_name(dtype)} {list(shape)}, as in the graph. Export again."
    )
  return None


def _check_uncollected(variant: JudgedVariant) -> Found:
  """Variables that no collection names are never restored."""
  text = (
    "The outputs read this variable, and the collection `variables` does not "
    "name it, so consumers never restore it. Add it to the collection before "
    "exporting."
  )
  for name, node in variant.graph.nodes.items():
    is_lost = node.op in VARIABLE_OPS and name not in variant.variables
    if is_lost and name in variant.behind_outputs:
      yield "missing-variables", variant.where(name), text


def _check_values(reader: Any, name: str, place: str) -> Found:
  """Reads a tensor, which verifies its checksum."""
  try:
    value = reader.get_tensor(name)
  except _READ_ERRORS as error:
    text = f"It cannot be read ({_reason(error)}). Export or download it again."
    yield "corrupt-file", place, text
    return
  if np.asarray(value).dtype.kind == "f" and not np.all(np.isfinite(value)):
    text = (
      "Got NaN or infinite weights; expected finite ones. Export from a "
      "checkpoint that has them."
    )
    yield "not-finite", place, text
