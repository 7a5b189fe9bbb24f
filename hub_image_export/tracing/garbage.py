"""A pause of the costly part of Python's garbage collector."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

_NEVER = 2**31 - 1


@contextlib.contextmanager
def full_collections_paused() -> Iterator[None]:
  """Lets the collector look at young objects only, inside the context.

  A traced network is some 100,000 new objects that all stay: full collections,
  which walk all of TensorFlow, begin because of them and find nothing. Young
  garbage is still collected: its memory is used again, while it is in the
  processor's caches.
  """
  thresholds = gc.get_threshold()
  gc.set_threshold(*thresholds[:2], _NEVER)
  try:
    yield
  finally:
    gc.set_threshold(*thresholds)
