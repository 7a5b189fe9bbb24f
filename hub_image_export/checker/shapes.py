# SPDX-License-Identifier: Apache-2.0
"""Shapes and types of tensors, as protos tell them."""

from __future__ import annotations

import math
from typing import Any

from hub_image_export.tensorflow_api.compat import tf

FLOAT32: int = tf.float32.as_datatype_enum

Shape = tuple["int | None", ...]


def element_count(shape: Shape | None) -> int:
  """The number of elements; 0 for an unknown shape."""
  return math.prod(size or 0 for size in shape) if shape is not None else 0


def dims(shape: Any) -> Shape | None:
  """A TensorShapeProto as a tuple; None for unknown sizes and ranks."""
  if shape.unknown_rank:
    return None
  return tuple(None if dim.size < 0 else dim.size for dim in shape.dim)


def dims_of(info: Any) -> Shape | None:
  """The shape that a TensorInfo promises; None without one."""
  return dims(info.tensor_shape) if info is not None else None


def shape_text(shape: Shape | None) -> str:
  """`[?, 224, 224, 3]`."""
  if shape is None:
    return "of unknown rank"
  return "[" + ", ".join("?" if d is None else str(d) for d in shape) + "]"


def dtype_name(number: int) -> str:
  try:
    return tf.dtypes.as_dtype(number).name
  except TypeError:
    return f"type number {number}"
