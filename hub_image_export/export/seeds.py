# SPDX-License-Identifier: Apache-2.0
"""Seeds that runs of a source take, and that belong to others."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from typing import Any

import numpy as np

from hub_image_export.tensorflow_api import eager_ops, keras_packages


class Seeds:
  """Those of Python, NumPy, TensorFlow and Keras."""

  def __init__(self, layers: Any) -> None:
    """Args: `layers` are the Keras layers of the source."""
    self._layers = layers
    self._python: tuple[Any, Any] | None = None

  @contextlib.contextmanager
  def kept(self) -> Iterator[None]:
    """Leaves them as they were, and nothing drawn, when the context is left.

    What is drawn by Python goes on with the next run: a source that does so
    differs from itself.
    """
    own = _of_python()
    if self._python is not None:
      _set(self._python)
    try:
      with (
        eager_ops.op_seeds_kept(),
        keras_packages.seeds_kept(self._layers),
        keras_packages.masks_forgotten(self._layers),
      ):
        yield
    finally:
      self._python = _of_python()
      _set(own)


def _of_python() -> tuple[Any, Any]:
  return random.getstate(), np.random.get_state()


def _set(seeds: tuple[Any, Any]) -> None:
  random.setstate(seeds[0])
  np.random.set_state(seeds[1])
