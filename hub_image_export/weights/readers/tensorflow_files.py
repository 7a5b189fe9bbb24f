# SPDX-License-Identifier: Apache-2.0
"""TensorFlow's checkpoints: of TF1's Saver, and object-based ones of TF2.

Both are read tensor by tensor; shards and partitioned variables are put
together by TensorFlow's own reader.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from google.protobuf import message

from hub_image_export.errors import WeightsError
from hub_image_export.tensorflow_api import private
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.weights.readers import object_names
from hub_image_export.weights.readers.named_values import NamedValues


def open_prefix(prefix: str, kind: str | None = None) -> NamedValues:
  """Opens the checkpoint with the files `prefix.index`, `prefix.data-…`.

  Args:
    prefix: its path without these endings.
    kind: what to call it; by default what its content says.

  Raises:
    WeightsError: files are missing or damaged.
  """
  if not os.path.exists(prefix + ".index"):
    raise WeightsError(
      f"the {kind or 'checkpoint'} {prefix!r} has no index: expected the file "
      f"{prefix}.index of a checkpoint"
    )
  try:
    reader = tf.train.load_checkpoint(prefix)
    shapes = reader.get_variable_to_shape_map()
    dtypes = reader.get_variable_to_dtype_map()
  except Exception as error:  # The reader raises RuntimeError, OpError, …
    raise _unreadable(prefix, error) from error
  specs = {
    name: tf.TensorSpec(shapes[name], dtypes[name], name) for name in shapes
  }
  _check_size(prefix, specs)

  def read(name: str) -> Any:
    try:
      return reader.get_tensor(name)
    except Exception as error:
      raise _unreadable(prefix, error, name) from error

  if private.OBJECT_GRAPH not in specs:
    return NamedValues(prefix, kind or "TF1 checkpoint", specs, read)
  graph = read(private.OBJECT_GRAPH)
  try:
    names = object_names.names_of(
      graph, set(specs), lambda keys: _all_equal(map(read, keys))
    )
  except (IndexError, TypeError, message.DecodeError) as error:
    raise _unreadable(prefix, error, private.OBJECT_GRAPH) from error
  return NamedValues(
    path=prefix,
    kind=kind or "TF2 checkpoint",
    specs={name: specs[key] for name, key in names.keys.items()},
    read=lambda name: read(names.keys[name]),
    aliases=names.aliases,
    bookkeeping=names.bookkeeping,
  )


def _check_size(prefix: str, specs: Mapping[str, Any]) -> None:
  """Raises WeightsError if a value has more bytes than there are.

  TensorFlow would take as much memory before it notices.
  """
  directory, name = os.path.split(prefix)
  stored = sum(
    entry.stat().st_size
    for entry in os.scandir(directory or ".")
    if entry.name.startswith(name + ".data-")
  )
  for spec in specs.values():
    if spec.shape.num_elements() * spec.dtype.size > stored:
      raise _unreadable(
        prefix, ValueError(f"its data has {stored} bytes"), spec.name
      )


def _all_equal(values: Iterable[Any]) -> bool:
  values = iter(values)
  first = next(values)
  return all(np.array_equal(first, value) for value in values)


def _unreadable(
  prefix: str, error: Exception, name: str | None = None
) -> WeightsError:
  what = f"the value of {name!r} in " if name else ""
  reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
  return WeightsError(
    f"{what}the checkpoint {prefix!r} cannot be read: {reason:.200}. Are all "
    "of its files there, and whole? Copy them again"
  )
