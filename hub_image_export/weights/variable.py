# SPDX-License-Identifier: Apache-2.0
"""A variable of a module: its name there, and where its value comes from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from hub_image_export.tensorflow_api import private
from hub_image_export.tensorflow_api.compat import tf


@dataclasses.dataclass(frozen=True, eq=False)
class Variable:
  """A variable of the module.

  Attributes:
    name: as at the source (`bn_Conv1/gamma`), made unique where names repeat.
    source: the user's own variable.
    trainable: whether it stands in TRAINABLE_VARIABLES.
    stored: reads the module's value from a checkpoint; None where that is the
      value which `source` has.
  """

  name: str
  source: Any
  trainable: bool
  stored: Callable[[], Any] | None = None

  @property
  def part(self) -> Any:
    """Of which variable it is a part, as TF1's partitioners make them.

    See `private.part_of`. None where it is a variable of its own.
    """
    return private.part_of(self.source)

  @property
  def dtype(self) -> Any:
    return self.source.dtype

  @property
  def shape(self) -> Any:
    return self.source.shape

  @property
  def num_bytes(self) -> int:
    return self.shape.num_elements() * self.dtype.size

  def read(self) -> Any:
    """The value, as an eager tensor; a live one shares its memory."""
    if self.stored is not None:
      return tf.constant(self.stored())
    return tf.raw_ops.ReadVariableOp(
      resource=self.source.handle, dtype=self.source.dtype
    )


def handle_of(variable: Any) -> Any:
  """The resource behind a variable of TensorFlow or of Keras 3."""
  if hasattr(variable, "path"):
    variable = getattr(variable, "value", variable)
  return private.first_replica(variable).handle
