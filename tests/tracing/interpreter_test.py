"""A function with room is the function, and what it calls fits below it."""

from __future__ import annotations

import inspect
import resource

import pytest

from hub_image_export.tracing import interpreter as call_stack

_CALLS = 1000
# Callers of a simple function, in many more than 16 KB of frames.
_DEPTHS = range(400)


@call_stack.with_room
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
  assert call_stack.with_room(len)([1]) == 1
  assert call_stack.with_room(abs)(-2) == 2


def test_no_call_maps_memory_however_deep_the_caller_is():
  """A chunk that a call maps is a page that it touches anew."""
  faults = [below(depth, call_often) for depth in _DEPTHS]
  assert max(faults) < _CALLS / 4


def below(depth, function):
  return below(depth - 1, function) if depth else function()


@call_stack.with_room
def call_often() -> int:
  """Calls a function many times, and counts the pages that this touches."""
  before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
  for _ in range(_CALLS):
    do_nothing()
  return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def do_nothing():
  pass
