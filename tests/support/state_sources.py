# SPDX-License-Identifier: Apache-2.0
"""Tiny networks whose training steps change variables in every way there is.

`SOURCES` names them all: each function makes a new source, which gives
features of images of `SHAPE`, draws no random numbers, and is meant for
`make_feature_vector_module`. Those in the manner of TF1 (`TF1`) have no
`call`: see `live.Source`.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.support import (
  state_functions,
  state_layers,
  state_modules,
  state_replicas,
)
from tests.support.keras_sources import SHAPE
from tests.support.live import Source

__all__ = ["SHAPE", "SOURCES", "TF1"]

SOURCES: dict[str, Callable[[], Source]] = {
  **state_layers.SOURCES,
  **state_replicas.SOURCES,
  **state_modules.SOURCES,
  **state_functions.SOURCES,
}
TF1 = tuple(state_functions.SOURCES)
