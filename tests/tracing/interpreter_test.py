# SPDX-License-Identifier: Apache-2.0
"""What costs of the interpreter are avoided, and that nothing stays changed."""

from __future__ import annotations

import gc
import inspect
import resource
import threading
import weakref

import pytest

from hub_image_export.tracing import interpreter

_CALLS = 1000
# Callers of a simple function, in many more than 16 KB of frames.
_DEPTHS = range(400)


@interpreter.with_room
def add(a: int, *, b: int = 2) -> int:
  """Adds."""
  if b < 0:
    raise KeyError(b)
  return a + b


def test_it_is_the_function():
  assert add(1) == 3
  assert add(1, b=5) == 6
  assert (add.__name__, add.__doc__) == ("add", "Adds.")
  assert str(inspect.signature(add)) == "(a: 'int', *, b: 'int' = 2) -> 'int'"


def test_errors_pass():
  with pytest.raises(KeyError):
    add(1, b=-1)


def test_each_function_has_its_own():
  """Though all are made of the same code."""
  assert interpreter.with_room(len)([1]) == 1
  assert interpreter.with_room(abs)(-2) == 2


def test_no_call_maps_memory_however_deep_the_caller_is():
  """A chunk that a call maps is a page that it touches anew."""
  faults = [below(depth, call_often) for depth in _DEPTHS]
  assert max(faults) < _CALLS / 4


def below(depth, function):
  return below(depth - 1, function) if depth else function()


@interpreter.with_room
def call_often() -> int:
  """Calls a function many times, and counts the pages that this touches."""
  before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
  for _ in range(_CALLS):
    do_nothing()
  return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def do_nothing():
  pass


class Cycle:
  def __init__(self):
    self.itself = self


def test_the_collector_is_as_before():
  before = gc.get_threshold()
  with pytest.raises(KeyError), interpreter.full_collections_paused():
    assert gc.get_threshold()[:2] == before[:2]
    assert gc.isenabled()
    raise KeyError
  assert gc.get_threshold() == before


def test_young_garbage_is_collected():
  """Even while many objects are made that stay."""
  found, kept = [], []
  with interpreter.full_collections_paused():
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
    with interpreter.full_collections_paused():
      kept = [[i] for i in range(500 * gc.get_threshold()[0])]
  finally:
    gc.callbacks.remove(note)
  assert kept and 0 in collections
  assert 2 not in collections


def test_threads_that_overlap_leave_the_collector_as_it_was():
  """Whoever comes first need not be the first to go."""
  before = gc.get_threshold()
  inside, leave = threading.Event(), threading.Event()

  def first():
    with interpreter.full_collections_paused():
      inside.set()
      leave.wait(10)

  thread = threading.Thread(target=first)
  thread.start()
  assert inside.wait(10)
  with interpreter.full_collections_paused():
    leave.set()
    thread.join()
    assert gc.get_threshold() != before
  assert gc.get_threshold() == before
