# SPDX-License-Identifier: Apache-2.0
"""One function on images, and what it can be asked for."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

from absl import logging

from hub_image_export import contract
from hub_image_export.sources import outputs

_TRAINING_PARAMETERS = ("is_training", "training")
# What else people call it.
_TRAINING_LIKE = re.compile(r"(is_?|phase_?)?train(ing|able)?(_mode|_phase)?")


def _none() -> list[Any]:
  return []


@dataclasses.dataclass(frozen=True)
class Source:
  """One function on images, and what it can be asked for.

  Attributes:
    name: what to call it in messages.
    call: `call(images, **options)`; what it returns is up to the user.
    training_parameter: the option that tells training from inference, if any.
    takes_momentum: whether there is an option `batch_norm_momentum` (H1).
    penalties: gives weight penalties that `call` does not leave elsewhere.
    output_names: of several outputs that come as a list (Keras).
    output: the name of the one that is wanted, if they are not all.
    initial: handles of variables that were made to have a source, and so have
      nothing but initial values.
  """

  name: str
  call: Callable[..., Any]
  training_parameter: str | None = None
  takes_momentum: bool = False
  penalties: Callable[[], list[Any]] = _none
  output_names: tuple[str, ...] = ()
  output: str | None = None
  initial: tuple[Any, ...] = ()

  def wanted(self, returned: Any) -> Any:
    """Of what `call` returned, what is wanted.

    Raises:
      ValueError: there is no output of that name.
    """
    returned = outputs.named(returned, self.output_names)
    if self.output is None:
      return returned
    return outputs.choose(self.name, returned, self.output, self.output_names)


def of_callable(fn: Callable[..., Any]) -> Source:
  """A function, or any object that can be called on images."""
  plain = inspect.unwrap(fn)
  name = getattr(plain, "__name__", None) or type(plain).__name__
  parameters: Mapping[str, Any] = {}
  with contextlib.suppress(TypeError, ValueError):  # Builtins may have none.
    parameters = inspect.signature(fn).parameters
  training = [p for p in _TRAINING_PARAMETERS if p in parameters]
  _check_parameters(name, parameters)
  return Source(
    name=f"function {name!r}",
    call=fn,
    training_parameter=training[0] if training else None,
    takes_momentum="batch_norm_momentum" in parameters,
    penalties=regularization_losses(fn),
  )


def _check_parameters(name: str, parameters: Mapping[str, Any]) -> None:
  """All that a function is called with are images, and what is known here.

  Raises:
    TypeError: it needs more.
  """
  known = {*_TRAINING_PARAMETERS, contract.BATCH_NORM_MOMENTUM}
  others = [
    p
    for p in list(parameters.values())[1:]
    if p.name not in known and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
  ]
  needed = [p.name for p in others if p.default is p.empty]
  if needed:
    raise TypeError(
      f"function {name!r} needs {', '.join(needed)}: expected a function of "
      "images, and maybe is_training (or training) and batch_norm_momentum. "
      "Call it that way, or bind the rest with functools.partial"
    )
  flags = [p.name for p in others if _TRAINING_LIKE.fullmatch(p.name)]
  if flags and not known & parameters.keys():
    logging.warning(
      "Function %r has the argument %s, which keeps its default %r: for a "
      "training variant call it is_training or training",
      name,
      flags[0],
      parameters[flags[0]].default,
    )


def regularization_losses(obj: Any) -> Callable[[], list[Any]]:
  """Penalties of a reusable SavedModel: functions of no argument."""
  losses = getattr(obj, "regularization_losses", None) or ()
  return lambda: [loss() for loss in losses if callable(loss)]
