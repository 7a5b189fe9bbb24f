# SPDX-License-Identifier: Apache-2.0
"""Watching the Keras layers that take part while a function is traced.

One mechanism for every source: a Keras model, a closure over one, a
`tf.Module` that holds layers, a function that builds layers inside. For the
duration of a trace the base class of all layers reports each call. Works with
Keras 2, Keras 3 and tf_keras, in any combination.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Iterator
from typing import Any

from hub_image_export.tensorflow_api import keras_packages
from hub_image_export.tensorflow_api.types import Layer


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

  @property
  def shapes(self) -> dict[str, str]:
    """Of the outputs of those layers that `output_of` finds, by name."""
    names = [call.layer.name for call in self.calls]
    return {
      call.layer.name: str(call.outputs.shape).replace("None", "?")
      for call in self.calls
      if names.count(call.layer.name) == 1 and hasattr(call.outputs, "shape")
    }

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

  def before_the_last_kernel(self) -> str | None:
    """The layer that gives what a classifier's last dense layer is given."""
    before = [None, *self.calls[:-1]]
    # A layer's own calls of others stand right before it.
    innermost = [
      call
      for previous, call in zip(before, self.calls)
      if previous is None or previous.depth <= call.depth
    ]
    has_kernel = [hasattr(call.layer, "kernel") for call in innermost]
    if True not in has_kernel:
      return None
    last = len(innermost) - 1 - has_kernel[::-1].index(True)
    for call in reversed(innermost[:last]):
      rank = getattr(getattr(call.outputs, "shape", None), "rank", None)
      is_dropout = "Dropout" in type(call.layer).__name__
      with contextlib.suppress(ValueError):
        if rank in (2, 4) and not is_dropout:
          self.output_of(call.layer.name)
          return call.layer.name
    return None

  def _nearest(self, name: str) -> str:
    import difflib

    names = list(dict.fromkeys(call.layer.name for call in self.calls))
    near = difflib.get_close_matches(name, names, 3, 0.5) or names[-5:]
    return f". Did you mean one of {near}?" if near else ""


_active = threading.local()
# Classes and layers are the process's: threads change them one at a time.
one_trace_at_a_time = threading.RLock()


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

  with one_trace_at_a_time:
    _active.recorded = recorded
    try:
      with (
        keras_packages.calls_go_through(observed),
        keras_packages.spectral_norms_converted(),
      ):
        yield recorded
    finally:
      _active.recorded = None
