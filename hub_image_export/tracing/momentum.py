# SPDX-License-Identifier: Apache-2.0
"""Batch norm with another momentum, for the thread that traces (H1).

What is traced with a tensor for a momentum belongs to one graph. Layers are
live: other threads may call them meanwhile, and have to find the number that
is theirs.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

from hub_image_export.tensorflow_api import keras_packages
from hub_image_export.tensorflow_api.types import Layer, Tensor
from hub_image_export.tracing.layer_calls import one_trace_at_a_time

_NAME = "momentum"
_seen_here = threading.local()


class _Momentum:
  """Stands for the attribute of a class of layers, for a while.

  Layers keep their own values where they have them, in their `__dict__`.
  """

  def __init__(self, original: Any) -> None:
    """Args: `original` is what the class has by this name, or None."""
    self._original = original

  def __get__(self, layer: Any, owner: Any = None) -> Any:
    if layer is None:
      return self._original
    here = getattr(_seen_here, "momentum", None)
    if here is not None:
      return here
    if hasattr(type(self._original), "__get__"):
      return self._original.__get__(layer, owner)
    if _NAME not in layer.__dict__ and self._original is None:
      raise AttributeError(_NAME)
    return layer.__dict__.get(_NAME, self._original)

  def __set__(self, layer: Any, value: Any) -> None:
    if hasattr(type(self._original), "__set__"):
      self._original.__set__(layer, value)
    else:
      layer.__dict__[_NAME] = value


@contextlib.contextmanager
def momentum_as(momentum: Tensor) -> Iterator[Callable[[Layer], None]]:
  """Yields a hook after which batch norm layers have `momentum`, here.

  Only for this thread, and only inside the context. Other threads that want to
  trace wait until it is left.
  """
  with one_trace_at_a_time, contextlib.ExitStack() as stack:

    def before_call(layer: Layer) -> None:
      cls: Any = type(layer)
      if not keras_packages.is_batch_norm(layer) or isinstance(
        vars(cls).get(_NAME), _Momentum
      ):
        return
      own = vars(cls).get(_NAME)
      if own is None:
        stack.callback(delattr, cls, _NAME)
      else:
        stack.callback(setattr, cls, _NAME, own)
      setattr(
        cls, _NAME, _Momentum(getattr(cls, _NAME, None) if own is None else own)
      )

    before = getattr(_seen_here, "momentum", None)
    _seen_here.momentum = momentum
    try:
      yield before_call
    finally:
      _seen_here.momentum = before
