# SPDX-License-Identifier: Apache-2.0
"""A callable of a reusable SavedModel, loaded, ready to be called."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import numpy as np

from hub_image_export import contract
from hub_image_export.checker.reading.saved_objects import Callable
from hub_image_export.checker.running.probe_images import same_for
from hub_image_export.tensorflow_api.compat import tf


class RunningObject:
  """The root or a sub-object, as `tf.saved_model.load` gives it.

  Attributes:
    judged: what is known of it from its files.
    variables: those of its list.
    trainable: those of its list of trainable ones that belong there.
    penalties: its regularization losses.
    can_train: whether `training` is among its parameters.
  """

  def __init__(self, loaded: Any, judged: Callable):
    self.judged = judged
    self._callable = getattr(loaded, judged.name) if judged.name else loaded
    self.variables = list(getattr(self._callable, "variables", ()))
    known = set(map(id, self.variables))
    self.trainable = [
      variable
      for variable in getattr(self._callable, "trainable_variables", ())
      if variable.trainable and (not known or id(variable) in known)
    ]
    losses = getattr(self._callable, "regularization_losses", ())
    self.penalties = list(losses)
    call = judged.call
    self.can_train = call is not None and bool(
      call.parameter(contract.TRAINING)
    )

  @functools.cached_property
  def same(self) -> float:
    """How far answers may be apart that are the same."""
    return same_for(self.judged.objects.graph.all_nodes())

  def tensors(self, images: Any, **options: Any) -> list[Any]:
    """What a call gives, one tensor or more; eagerly, for tapes to see."""
    return tf.nest.flatten(self._callable(tf.constant(images), **options))

  def ask(self, images: np.ndarray, **options: Any) -> np.ndarray:
    """The one result of a plain call, `[batch_size, width]`."""
    return self.tensors(np.float32(images), **options)[0].numpy()

  @property
  def in_training(self) -> dict[str, Any]:
    return {contract.TRAINING: True} if self.can_train else {}

  def values(self) -> list[np.ndarray]:
    """Of all variables, in their order."""
    return [variable.numpy() for variable in self.variables]

  def moved(self, before: list[np.ndarray]) -> list[Any]:
    """The variables that have other values than `before`."""
    return [
      variable
      for variable, old in zip(self.variables, before)
      if not np.array_equal(old, variable.numpy(), equal_nan=_is_float(old))
    ]

  def restore(self, values: Iterable[np.ndarray]) -> None:
    for variable, value in zip(self.variables, values):
      variable.assign(value)


def _is_float(value: np.ndarray) -> bool:
  return value.dtype.kind == "f"


def own_name(variable: Any) -> str:
  return variable.name.partition(":")[0]
