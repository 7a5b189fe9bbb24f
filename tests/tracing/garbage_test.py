"""Full collections wait; young garbage is collected, and all is as before."""

from __future__ import annotations

import gc
import weakref

import pytest

from hub_image_export.tracing import garbage


class Cycle:
  def __init__(self):
    self.itself = self


def test_the_collector_is_as_before():
  before = gc.get_threshold()
  with pytest.raises(KeyError), garbage.full_collections_paused():
    assert gc.get_threshold()[:2] == before[:2]
    assert gc.isenabled()
    raise KeyError
  assert gc.get_threshold() == before


def test_young_garbage_is_collected():
  """Even while many objects are made that stay."""
  found, kept = [], []
  with garbage.full_collections_paused():
    found.append(weakref.ref(Cycle()))
    kept.extend([i] for i in range(20 * gc.get_threshold()[0]))
    assert found[0]() is None


def test_there_are_no_full_collections():
  collections = []

  def note(phase, info):
    if phase == "start":
      collections.append(info["generation"])

  gc.callbacks.append(note)
  try:
    with garbage.full_collections_paused():
      kept = [[i] for i in range(500 * gc.get_threshold()[0])]
  finally:
    gc.callbacks.remove(note)
  assert kept and 0 in collections
  assert 2 not in collections
