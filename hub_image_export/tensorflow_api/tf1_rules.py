# SPDX-License-Identifier: Apache-2.0
"""TensorFlow 1's rules for the code of one thread, and the switches for them.

`tf.compat.v1.disable_v2_behavior` and its like switch for the whole process,
and some for good. Two of the rules matter while a graph is made: what tensors
are equal, and what shapes are made of. TensorFlow keeps each in a flag that it
asks for its truth, here since 2.0: an object in its place answers each thread
for itself. tests/tensorflow_api/tf1_rules_test.py notices the end of that.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import threading
from collections.abc import Iterator
from typing import Any

from hub_image_export.tensorflow_api.compat import tf

_EQUALITY, _SHAPES = "equality", "shapes"


def _place(name: str) -> Any:
  return importlib.import_module(f"{tf.__name__}.python.{name}")


# The flags by name: who has them, and as which attribute. They are true where
# the rule is that of TensorFlow 2.
_FLAGS = {
  _EQUALITY: (tf.Tensor, "_USE_EQUALITY"),
  _SHAPES: (_place("framework.tensor_shape"), "_TENSORSHAPE_V2_OVERRIDE"),
}
# `tf.train.ExponentialMovingAverage` averages tensors in graphs of TensorFlow 1
# alone, and asks `ops`, by this name since 1.0, whether it is in one.
_AVERAGES = "averages"
_AVERAGING = _place("training.moving_averages")
# `enable_v2_behavior` turns all switches back, but for eager execution, which
# it refuses once a graph was used: so that one is turned back before.
_EAGER = (_place("eager.context"), "default_execution_mode")
_v1 = tf.compat.v1
# How other rules are asked for: whether they are in force, and two switches.
_PUBLIC = (
  (
    _v1.resource_variables_enabled,
    _v1.enable_resource_variables,
    _v1.disable_resource_variables,
  ),
  (
    _v1.control_flow_v2_enabled,
    _v1.enable_control_flow_v2,
    _v1.disable_control_flow_v2,
  ),
)


class _Here(threading.local):
  """What holds for the code of this thread.

  Attributes:
    rules: by the name of a flag, whether it is true; what is not there is as
      it is for the process.
    compared: how often tensors were compared or hashed.
  """

  rules: dict[str, bool] = {}
  compared = 0


_here = _Here()


class _Flag:
  """Stands for one of the flags: each thread has its own answer."""

  def __init__(self, name: str, process: bool | None) -> None:
    self._name, self.process = name, process

  def __bool__(self) -> bool:
    if self._name == _EQUALITY:
      _here.compared += 1
    process = tf2_enabled() if self.process is None else bool(self.process)
    return _here.rules.get(self._name, process)


class _Ops:
  """Stands for the module `ops`, where moving averages look it up."""

  def __init__(self, process: Any) -> None:
    self.process = process

  def __getattr__(self, name: str) -> Any:
    return getattr(self.process, name)

  def executing_eagerly_outside_functions(self) -> bool:
    process = self.process.executing_eagerly_outside_functions
    return _here.rules.get(_AVERAGES, True) and process()


def tf2_enabled() -> bool:
  return tf.__internal__.tf2.enabled()


class _Flags:
  """The flags, replaced while any thread has rules of its own."""

  def __init__(self) -> None:
    self._lock = threading.Lock()
    self._users = 0

  def begin(self) -> None:
    with self._lock:
      if not self._users:
        for name, (owner, attribute) in _FLAGS.items():
          setattr(owner, attribute, _Flag(name, getattr(owner, attribute)))
        _AVERAGING.ops = _Ops(_AVERAGING.ops)
      self._users += 1

  def end(self) -> None:
    with self._lock:
      self._users -= 1
      if not self._users:
        _AVERAGING.ops = _AVERAGING.ops.process
      for owner, attribute in _FLAGS.values() if not self._users else ():
        flag = getattr(owner, attribute)
        if isinstance(flag, _Flag):
          setattr(owner, attribute, flag.process)


_flags = _Flags()


@contextlib.contextmanager
def _in_force(rules: dict[str, bool]) -> Iterator[None]:
  before = _here.rules
  _flags.begin()
  _here.rules = rules
  try:
    yield
  finally:
    _here.rules = before
    _flags.end()


def ours() -> contextlib.AbstractContextManager[None]:
  """This package's own code, in this thread: shapes are those of TF2."""
  return _in_force({**_here.rules, _SHAPES: True})


def of_the_process() -> contextlib.AbstractContextManager[None]:
  """A user's code, in this thread: what the process has asked for holds.

  Moving averages may be of tensors: what the code is traced into is a graph.
  """
  return _in_force({_AVERAGES: False})


def by_identity() -> contextlib.AbstractContextManager[None]:
  """Tensors and variables are equal if they are the same, and can be keys.

  So it is in a `tf.Graph`; in a graph that a function is traced into, `==` is
  another op.
  """
  return _in_force({**_here.rules, _EQUALITY: False})


def comparisons() -> int:
  """How often this thread compared or hashed tensors under a context above."""
  return _here.compared


@dataclasses.dataclass
class Asked:
  """What code asked for by TensorFlow's switches.

  Attributes:
    rules: of TensorFlow 1, by the name of a flag.
  """

  rules: dict[str, bool] = dataclasses.field(default_factory=dict)

  def __bool__(self) -> bool:
    return bool(self.rules)

  def in_force(self) -> contextlib.AbstractContextManager[None]:
    """In this thread, for the code that asked."""
    return _in_force({**_here.rules, **self.rules})


@contextlib.contextmanager
def switches_kept() -> Iterator[Asked]:
  """Lets code turn TensorFlow's switches, and turns them back when it is done.

  Yields:
    What it asked for, when the context is left.
  """
  asked = Asked()
  # What starts without eager execution has none below its functions for good.
  _EAGER[0].context()
  flags = [getattr(*place) for place in _FLAGS.values()]
  mode, public = getattr(*_EAGER), [is_on() for is_on, _, _ in _PUBLIC]
  eager, enabled = tf.executing_eagerly(), tf2_enabled()
  try:
    yield asked
  finally:
    for (name, place), flag in zip(_FLAGS.items(), flags):
      if getattr(*place) is not flag and not getattr(*place):
        asked.rules[name] = False
    setattr(*_EAGER, mode)
    if enabled and not tf2_enabled():
      _v1.enable_v2_behavior()
    for place, flag in zip(_FLAGS.values(), flags):
      setattr(*place, flag)
    for (is_on, enable, disable), was_on in zip(_PUBLIC, public):
      if is_on() != was_on:
        (enable if was_on else disable)()
    if tf.executing_eagerly() != eager:
      _EAGER[0].context()._thread_local_data.is_eager = eager
