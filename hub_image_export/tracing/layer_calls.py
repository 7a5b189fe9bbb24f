"""Watching the Keras layers that take part while a function is traced.

One mechanism for every source: a Keras model, a closure over one, a
`tf.Module` that holds layers, a function that builds layers inside. For the
duration of a trace the base class of all layers reports each call. Works with
Keras 2, Keras 3 and tf_keras, in any combination.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

Layer = Any

_KERAS_PACKAGES = ("keras", "tf_keras")


def _keras_packages() -> list[Any]:
  """The Keras packages that this process has imported by now."""
  found = [sys.modules.get(name) for name in _KERAS_PACKAGES]
  return [keras for keras in found if hasattr(keras, "layers")]


def _layer_classes() -> tuple[type, ...]:
  return tuple({keras.layers.Layer: None for keras in _keras_packages()})


def is_layer(value: Any) -> bool:
  """Whether `value` is a Keras layer or model, of any Keras."""
  return isinstance(value, _layer_classes())


def is_model(value: Any) -> bool:
  return isinstance(
    value, tuple({keras.Model: None for keras in _keras_packages()})
  )


def runs_on_tensorflow(layer: Layer) -> bool:
  """Whether the layer's Keras computes with TensorFlow, not JAX or torch."""
  return all(
    keras.backend.backend() == "tensorflow"
    for keras in _keras_packages()
    if isinstance(layer, keras.layers.Layer)
  )


def is_batch_norm(layer: Layer) -> bool:
  """Holds for all batch norm classes; they share no base class."""
  return hasattr(layer, "momentum") and hasattr(layer, "moving_mean")


@dataclasses.dataclass(frozen=True)
class LayerCall:
  """One call of a layer: what it returned, and how deep within others."""

  layer: Layer
  outputs: Any
  depth: int


@dataclasses.dataclass
class LayerCalls:
  """All calls of one trace, in order of their ends."""

  calls: list[LayerCall] = dataclasses.field(default_factory=list)

  @property
  def layers(self) -> list[Layer]:
    return list({id(c.layer): c.layer for c in self.calls}.values())

  @property
  def roots(self) -> list[Layer]:
    """The layers that no other layer called."""
    roots = (call.layer for call in self.calls if call.depth == 0)
    return list({id(layer): layer for layer in roots}.values())

  def output_of(self, name: str) -> Any:
    """What the layer called `name` returned.

    Raises:
      ValueError: there is no such layer, there are several, or it was called
        more than once.
    """
    calls = [call for call in self.calls if call.layer.name == name]
    if len(calls) == 1:
      return calls[0].outputs
    if not calls:
      raise ValueError(
        f"there is no layer called {name!r}{self._nearest(name)}"
      )
    several = "layers" if len({id(c.layer) for c in calls}) > 1 else "calls"
    raise ValueError(
      f"{len(calls)} {several} of the name {name!r}: expected one. Give the "
      "layer a name of its own, or return the tensor from a function"
    )

  def _nearest(self, name: str) -> str:
    import difflib

    names = list(dict.fromkeys(call.layer.name for call in self.calls))
    near = difflib.get_close_matches(name, names, 3, 0.5) or names[-5:]
    return f". Did you mean one of {near}?" if near else ""


_active = threading.local()
# Classes and layers are the process's: threads change them one at a time.
_one_trace_at_a_time = threading.RLock()


@contextlib.contextmanager
def observe(
  before_call: Callable[[Layer], None] | None = None,
) -> Iterator[LayerCalls]:
  """Records the calls of layers that this thread makes inside the context.

  Other threads wait until it is left.

  Args:
    before_call: called with each layer right before it is.
  """
  recorded = LayerCalls()
  depth = 0

  def observed(original, layer, *args, **kwargs):
    nonlocal depth
    if getattr(_active, "recorded", None) is not recorded:
      return original(layer, *args, **kwargs)
    if before_call is not None:
      before_call(layer)
    depth += 1
    try:
      outputs = original(layer, *args, **kwargs)
    finally:
      depth -= 1
    recorded.calls.append(LayerCall(layer, outputs, depth))
    return outputs

  with _one_trace_at_a_time:
    originals = [(cls, cls.__call__) for cls in _layer_classes()]
    for cls, original in originals:
      cls.__call__ = functools.wraps(original)(
        lambda layer, *args, _original=original, **kwargs: observed(
          _original, layer, *args, **kwargs
        )
      )
    _active.recorded = recorded
    try:
      yield recorded
    finally:
      _active.recorded = None
      for cls, original in originals:
        cls.__call__ = original


@contextlib.contextmanager
def momentum_as(momentum: Any) -> Iterator[Callable[[Layer], None]]:
  """Yields a hook that gives batch norm layers `momentum` for a while (H1).

  Other threads wait until it is left.
  """
  own: list[tuple[Layer, Any]] = []

  def set_momentum(layer: Layer) -> None:
    if is_batch_norm(layer) and layer.momentum is not momentum:
      own.append((layer, layer.momentum))
      layer.momentum = momentum

  with _one_trace_at_a_time:
    try:
      yield set_momentum
    finally:
      for layer, value in own:
        layer.momentum = value
