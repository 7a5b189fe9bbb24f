# SPDX-License-Identifier: Apache-2.0
"""A reusable SavedModel (T1 to T14) as a function on images.

Whatever TensorFlow 2 can do with one, its source can: train, move its moving
averages, take their momentum, add penalties, give endpoints, and do several
tasks, which are sub-objects.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hub_image_export import contract
from hub_image_export.sources.source import Source
from hub_image_export.tensorflow_api.compat import tf

# What published modules call the flag that tells training from inference.
_TRAINING_PARAMETERS = (contract.TRAINING, "is_training")


def as_source(
  loaded: Any,
  height: int,
  width: int,
  tasks: tuple[str, ...] | None = (),
  output: str | None = None,
) -> Source:
  """What a loaded SavedModel that can be called does.

  Args:
    loaded: what `tf.saved_model.load` returns.
    height, width: of the images, in pixels.
    tasks: those that are wanted; None for all that it has as sub-objects.
    output: of several outputs, the name of the one that is wanted.
  """
  named = {t: o for t in contract.TASKS if callable(o := _child(loaded, t))}
  if tasks is None and named:
    objects, parts = list(named.values()), named
  else:
    wanted = named.get(tasks[0], loaded) if tasks else loaded
    objects, parts = [wanted], {contract.DEFAULT_OUTPUT: wanted}
  accepts = _Accepts(objects, height, width)
  training = [p for p in _TRAINING_PARAMETERS if accepts({p: True}, {p: False})]
  losses = {
    id(loss): loss
    for part in objects
    for loss in getattr(part, "regularization_losses", None) or ()
    if callable(loss)
  }
  return Source(
    name="SavedModel",
    call=_Calls(parts, accepts({contract.RETURN_ENDPOINTS: True})),
    training_parameter=training[0] if training else None,
    takes_momentum=accepts({contract.BATCH_NORM_MOMENTUM: 0.9}),
    penalties=lambda: [loss() for loss in losses.values()],
    output=output,
  )


def _child(loaded: Any, name: str) -> Any:
  return getattr(loaded, name, None)


class _Accepts:
  """Whether restored functions, which have no signature, take options."""

  def __init__(self, objects: list[Any], height: int, width: int) -> None:
    self._objects = objects
    self._images = tf.TensorSpec([None, height, width, 3], tf.float32)

  def __call__(self, *choices: dict[str, Any]) -> bool:
    return all(self._takes(o, c) for o in self._objects for c in choices)

  def _takes(self, part: Callable[..., Any], options: dict[str, Any]) -> bool:
    try:
      tf.compat.v1.wrap_function(lambda x: part(x, **options), [self._images])
    except (TypeError, ValueError):
      return False
    return True


class _Calls:
  """Calls each task's object once, all from the same moving averages."""

  def __init__(self, parts: dict[str, Any], with_endpoints: bool) -> None:
    self._parts = parts
    self._flags = {contract.RETURN_ENDPOINTS: True} if with_endpoints else {}

  def __call__(self, images: Any, **options: Any) -> Any:
    found: dict[str, Any] = {}
    before: dict[int, Any] = {}
    for key, part in self._parts.items():
      averages = [v for v in getattr(part, "variables", ()) if not v.trainable]
      for variable in averages:
        # What another task has moved, this one moves from where it was: both
        # compute the same of what they share.
        if id(variable) in before:
          variable.assign(before[id(variable)])
        elif len(self._parts) > 1:
          before[id(variable)] = variable.read_value()
      outputs = part(images, **options, **self._flags)
      if len(self._parts) == 1:
        return outputs
      if isinstance(outputs, dict):
        outputs = dict(outputs)
        found[key] = outputs.pop(contract.DEFAULT_OUTPUT)
        found.update(outputs)
      else:
        found[key] = outputs
    return found
