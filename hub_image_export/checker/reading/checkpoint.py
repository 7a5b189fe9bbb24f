"""The checkpoint against the variables of each variant (F3)."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from hub_image_export import contract
from hub_image_export.checker import module as modules
from hub_image_export.checker.report import Findings
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.untrusted.graph import VARIABLE_OPS

_READ_ERRORS = (
  tf.errors.OpError,
  IndexError,
  RuntimeError,
  TypeError,
  ValueError,
)


def check_checkpoint(module: modules.Module, findings: Findings) -> None:
  """Compares names, shapes and types, and reads every tensor once.

  At most one tensor is in memory at a time.
  """
  prefix = os.path.join(module.directory, contract.VARIABLES_PREFIX)
  reader = None
  if os.path.exists(prefix + ".index"):
    reader = _open(prefix, findings)
    if reader is None:
      return
  shapes = reader.get_variable_to_shape_map() if reader else {}
  dtypes = reader.get_variable_to_dtype_map() if reader else {}
  for variant in module.variants:
    _check_variant(variant, shapes, dtypes, findings)
  if reader:
    _read_all(reader, shapes, dtypes, _data_bytes(prefix), findings)


def _open(prefix: str, findings: Findings) -> Any:
  try:
    return tf.train.load_checkpoint(prefix)
  except _READ_ERRORS as error:
    findings.add(
      "corrupt-file",
      contract.VARIABLES_PREFIX + ".index",
      f"The checkpoint cannot be opened ({_reason(error)}). Export or "
      "download it again.",
    )
    return None


def _reason(error: Exception) -> str:
  return str(getattr(error, "message", None) or error)[:200]


def _data_bytes(prefix: str) -> int:
  folder, name = os.path.split(prefix)
  return sum(
    entry.stat().st_size
    for entry in os.scandir(folder)
    if entry.name.startswith(name + ".data-")
  )


def _check_variant(
  variant: modules.Variant,
  shapes: dict[str, list[int]],
  dtypes: dict[str, Any],
  findings: Findings,
) -> None:
  for variable in variant.variables.values():
    place = variant.where(tensor=variable.name)
    if variable.shape is None and variable.dtype == 0:
      findings.add(
        "missing-variables",
        place,
        "The graph has no such variable, though the collection `variables` "
        "names it. Export again.",
      )
    elif variable.key not in shapes:
      findings.add(
        "missing-variables",
        place,
        "The checkpoint does not have this variable; expected the variables "
        "of every variant in it. Export with a checkpoint of all variants.",
      )
    elif variable.shape is not None and (
      list(variable.shape) != list(shapes[variable.key])
      or variable.dtype not in (0, dtypes[variable.key].as_datatype_enum)
    ):
      findings.add(
        "missing-variables",
        place,
        f"Got {dtypes[variable.key].name} {list(shapes[variable.key])} in the "
        f"checkpoint; expected {modules.dtype_name(variable.dtype)} "
        f"{list(variable.shape)}, as in the graph. Export again.",
      )
  _check_uncollected(variant, findings)


def _check_uncollected(variant: modules.Variant, findings: Findings) -> None:
  """Variables that no collection names are never restored."""
  used = variant.graph.ancestors(variant.output_tensors())
  for node in variant.graph.graph_def.node:
    if (
      node.op in VARIABLE_OPS
      and node.name not in variant.variables
      and node.name in used
    ):
      findings.add(
        "missing-variables",
        variant.where(tensor=node.name),
        "The outputs read this variable, and the collection `variables` does "
        "not name it, so consumers never restore it. Add it to the "
        "collection before exporting.",
      )


def _read_all(
  reader: Any,
  shapes: dict[str, list[int]],
  dtypes: dict[str, Any],
  available: int,
  findings: Findings,
) -> None:
  """Reads each tensor, which verifies its checksum."""
  for name in sorted(shapes):
    dtype = dtypes[name]
    if (
      dtype.size
      and modules.element_count(tuple(shapes[name])) * dtype.size > available
    ):
      findings.add(
        "corrupt-file",
        f"{contract.VARIABLES_PREFIX}, {name}",
        f"Got a tensor of shape {shapes[name]} in {available} bytes of data. "
        "Export or download it again.",
      )
      continue
    try:
      value = reader.get_tensor(name)
    except _READ_ERRORS as error:
      findings.add(
        "corrupt-file",
        f"{contract.VARIABLES_PREFIX}, {name}",
        f"It cannot be read ({_reason(error)}). Export or download it again.",
      )
      continue
    if np.asarray(value).dtype.kind == "f" and not np.all(np.isfinite(value)):
      findings.add(
        "not-finite",
        f"{contract.VARIABLES_PREFIX}, {name}",
        "Got NaN or infinite weights; expected finite ones. Export from a "
        "checkpoint that has them.",
      )
