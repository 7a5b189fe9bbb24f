# SPDX-License-Identifier: Apache-2.0
"""Where a checkpoint has the value of one variable, be it in pieces.

TF1's partitioners make several variables of one, `kernel/part_0` and so on,
and `tf.compat.v1.train.Saver` stores them as one value, `kernel`. A variable
gets its part of such a value; and one that is whole gets it of all pieces
that were stored one by one.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.weights.readers import NamedValues
from hub_image_export.weights.variable import Variable

_WIDENED = frozenset({tf.float16, tf.bfloat16})


@dataclasses.dataclass(frozen=True)
class Stored:
  """Where the value of a variable is.

  Attributes:
    keys: the names of its pieces in the checkpoint, mostly one.
    axis: along which they are put together.
    part: what of that it is: a slice for each axis; empty for all.
  """

  keys: tuple[str, ...]
  axis: int = 0
  part: tuple[slice, ...] = ()

  def reader(self, values: NamedValues, dtype: Any) -> Callable[[], Any]:
    def read() -> Any:
      found = [values.read(key) for key in self.keys]
      value = found[0] if len(found) == 1 else np.concatenate(found, self.axis)
      value = value[self.part] if self.part else value
      return value.astype(dtype.as_numpy_dtype, copy=False)

    return read


def find(
  variable: Variable, names: Mapping[str, str], values: NamedValues
) -> tuple[Stored | None, str | None]:
  """Where the variable's value is, or what is wrong.

  Args:
    variable: of the module.
    names: in the checkpoint, by names of variables, whole ones too.
    values: of the checkpoint.
  """
  name, part, shape = names[variable.name], variable.part, variable.shape
  slices: tuple[slice, ...] = ()
  if part and values.find(name) is None:
    name, shape = names[part.full_name], tf.TensorShape(part.full_shape)
    slices = tuple(
      slice(begin, begin + size)
      for begin, size in zip(part.var_offset, part.var_shape)
    )
  key = values.find(name)
  keys = (key,) if key is not None else _pieces(name, values)
  called = variable.name + (f" (as {name})" if name != variable.name else "")
  if not keys:
    return None, f"{called} is missing{_nearest(name, values)}"
  specs = [values.specs[key] for key in keys]
  axis = _axis(specs, shape)
  if axis is None:
    found = " and ".join(str(spec.shape) for spec in specs)
    return None, f"{called} has shape {shape}, and {found} in the checkpoint"
  wide = variable.dtype in (tf.float32, tf.float64)
  for spec in specs:
    if spec.dtype != variable.dtype and not (wide and spec.dtype in _WIDENED):
      return None, (
        f"{called} is {variable.dtype.name}, and {spec.dtype.name} in the "
        "checkpoint"
      )
  return Stored(keys, axis, slices), None


def _pieces(name: str, values: NamedValues) -> tuple[str, ...]:
  """All of `name/part_0`, `name/part_1`, …"""
  found: list[str] = []
  while (key := values.find(f"{name}/part_{len(found)}")) is not None:
    found.append(key)
  return tuple(found)


def _axis(specs: list[Any], shape: Any) -> int | None:
  """Along which values of these shapes make one of `shape`, if they do."""
  if len(specs) == 1:
    return 0 if shape.is_compatible_with(specs[0].shape) else None
  if any(spec.shape.rank != shape.rank for spec in specs):
    return None
  shapes = np.array([spec.shape.as_list() for spec in specs])
  for axis, size in enumerate(shape.as_list()):
    rest = np.delete(shapes, axis, 1) == np.delete(shape.as_list(), axis)
    if rest.all() and shapes[:, axis].sum() == size:
      return axis
  return None


def _nearest(name: str, values: NamedValues) -> str:
  """The names most like it, those with the same ending first."""
  known = [n for n in values.specs if n not in values.bookkeeping]
  ending = name.rpartition("/")[2]
  alike = [n for n in known if n.rpartition("/")[2] == ending]
  near = difflib.get_close_matches(name, alike or known, 2, 0.4)
  return f" (nearest: {', '.join(near)})" if near else ""
