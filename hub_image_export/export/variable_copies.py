# SPDX-License-Identifier: Apache-2.0
"""Variables that a call may change without changing the user's own.

Whoever runs a model with `training=True` changes its variables, and other
threads see that. Here a call reads and writes copies in their place: a
variable is copied when it is first written, or given another value before.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from hub_image_export.tensorflow_api import eager_ops
from hub_image_export.tensorflow_api.compat import tf

# Ops on handles that change nothing.
_READS = frozenset(
  {
    "ReadVariableOp",
    "ResourceGather",
    "ResourceGatherNd",
    "VariableShape",
    "VarIsInitializedOp",
  }
)
# Arguments that are no variables. Asking TensorFlow what they are takes longer
# than many an op.
_PLAIN = (str, bytes, int, float, type(None), np.ndarray)


class Copies:
  """Copies of variables, for one or more calls of one thread."""

  def __init__(self) -> None:
    # The handles themselves are held, so that their ids are not used again.
    self._copies: dict[int, tuple[Any, Any, Any]] = {}
    self._written: set[int] = set()

  @contextlib.contextmanager
  def in_use(self, draw: eager_ops.Handler | None = None) -> Iterator[None]:
    """This thread's eager ops use the copies, inside the context.

    Args:
      draw: `draw(op, arguments, run)` runs each op, after the variables in
        its arguments were replaced.
    """

    def handle(op: str, arguments: Sequence[Any], run: Any) -> Any:
      reads = op in _READS
      replaced = [self._replaced(value, reads) for value in arguments]
      return run(replaced) if draw is None else draw(op, replaced, run)

    with eager_ops.handled_by(handle):
      yield

  def give(self, handle: Any, value: Any) -> None:
    """Lets a variable have another value."""
    with eager_ops.handled_by(None):
      copy = eager_ops.plain_variable(value)
    self._copies[id(handle)] = handle, copy, value

  def _copy(self, handle: Any) -> Any:
    """The handle of the copy of a variable, which is made if need be."""
    if id(handle) not in self._copies:
      with eager_ops.handled_by(None):
        if not tf.raw_ops.VarIsInitializedOp(resource=handle):
          return handle  # It is new, and made by this very call.
        dtype = tf.as_dtype(eager_ops.handle_data(handle).dtype)
        value = tf.raw_ops.ReadVariableOp(resource=handle, dtype=dtype)
      self.give(handle, value)
    return self._copies[id(handle)][1].handle

  def value(self, handle: Any) -> Any:
    """The value of a variable that was copied, as an array."""
    return self._copies[id(handle)][1].numpy()

  def changed(self) -> list[Any]:
    """Handles of the variables to which calls have given other values."""
    return [
      handle
      for key, (handle, copy, first) in self._copies.items()
      if key in self._written and not np.array_equal(copy.numpy(), first)
    ]

  def _replaced(self, value: Any, reads: bool) -> Any:
    if isinstance(value, _PLAIN):
      return value
    if isinstance(value, (list, tuple)):
      return [self._replaced(item, reads) for item in value]
    if isinstance(value, tf.Variable):
      return tf.convert_to_tensor(value)  # A read of its own, handled here.
    if not tf.is_tensor(value) or value.dtype != tf.resource:
      return value
    if id(value) in self._copies:
      if not reads:
        self._written.add(id(value))
      return self._copies[id(value)][1].handle
    if reads or not eager_ops.has_values(value):
      return value
    copied = self._copy(value)
    if copied is not value:
      self._written.add(id(value))
    return copied
