# SPDX-License-Identifier: Apache-2.0
"""The variables of a judged variant."""

from __future__ import annotations

import dataclasses
from typing import Any

from hub_image_export.checker.shapes import Shape, dims, element_count
from hub_image_export.tensorflow_api.protos import VariableDef
from hub_image_export.untrusted.graph import VARIABLE_OPS, Graph, node_name


@dataclasses.dataclass(frozen=True)
class JudgedVariable:
  """A variable of a variant, as its checkpoint must have it.

  Attributes:
    name: of its node.
    key: its name in the checkpoint, where parts of one variable share one.
    shape: in the checkpoint; None for a variable without a node.
    dtype: a DataType number; 0 for a variable without a node.
    elements: how many numbers this variable, or this part of one, holds.
    initializer: the name of the operation that initializes it.
    snapshot: the name of the tensor that reads it.
    part: which part of the value in the checkpoint it holds, as `RestoreV2`
      takes it; empty for all of it.
  """

  name: str
  key: str
  shape: Shape | None
  dtype: int
  elements: int
  initializer: str
  snapshot: str
  part: str


def read_variable(graph: Graph, serialized: bytes) -> JudgedVariable:
  """A variable of `graph`, of its VariableDef in a collection."""
  definition = VariableDef.FromString(serialized)
  name = key = node_name(definition.variable_name)
  node = graph.nodes.get(name)
  own_shape = dims(node.attr["shape"].shape) if node is not None else None
  shape, dtype, part = None, 0, ""
  if node is not None and node.op in VARIABLE_OPS:
    shape, dtype = own_shape, node.attr["dtype"].type
  if definition.HasField("save_slice_info_def"):
    key = name.rpartition("/")[0]
    shape = tuple(definition.save_slice_info_def.full_shape)
    part = _part(definition.save_slice_info_def)
  return JudgedVariable(
    name,
    key,
    shape,
    dtype,
    element_count(own_shape),
    definition.initializer_name,
    definition.snapshot_name,
    part,
  )


def _part(slice_info: Any) -> str:
  """`"4 6 0,2:0,6"`: of the shape, the first two rows."""
  shape = " ".join(map(str, slice_info.full_shape))
  ranges = zip(slice_info.var_offset, slice_info.var_shape)
  return f"{shape} " + ":".join(f"{start},{size}" for start, size in ranges)
