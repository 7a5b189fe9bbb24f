# SPDX-License-Identifier: Apache-2.0
"""What one thread runs eagerly, changed on its way to TensorFlow.

All ops that Python runs eagerly go through two functions of TensorFlow's
binding: one for ops by name and arguments, one for calls of functions. Both
are looked up in their module at each call, and have been since TensorFlow 2.0
(`TFE_Py_FastPathExecute`, `TFE_Py_Execute`); `eager_ops_test.py` fails where
that ends. Other threads run their ops as ever.
"""

from __future__ import annotations

import contextlib
import importlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hub_image_export.tensorflow_api.protos import FunctionDef

# handler(name, arguments, run): `run(arguments)` runs the op, and returns what
# the handler returns in its place. Arguments are the op's inputs, and, of an
# op that is run by its name, also names and values of attributes. Where the op
# is a call of a function, `run(arguments, name)` calls another one instead.
Handler = Callable[[str, Sequence[Any], Callable[..., Any]], Any]

_binding: Any = importlib.import_module("tensorflow.python.pywrap_tfe")
_context = importlib.import_module("tensorflow.python.eager.context")
_core: Any = importlib.import_module("tensorflow.python.eager.core")
_resources = importlib.import_module(
  "tensorflow.python.ops.resource_variable_ops"
)
_READS = frozenset({"ReadVariableOp", "ResourceGather", "ResourceGatherNd"})
_thread = threading.local()
_lock = threading.Lock()
_installed: list[Handler | None] = []
_own = {
  name: getattr(_binding, name)
  for name in ("TFE_Py_FastPathExecute", "TFE_Py_Execute")
}


@contextlib.contextmanager
def handled_by(handler: Handler | None) -> Iterator[None]:
  """Lets `handler` run the ops of this thread; None runs them as they are."""
  outer = getattr(_thread, "handler", None)
  with _lock:
    _installed.append(handler)
    _binding.TFE_Py_FastPathExecute = _execute_by_name
    _binding.TFE_Py_Execute = _execute
  _thread.handler = handler
  try:
    yield
  finally:
    _thread.handler = outer
    with _lock:
      _installed.pop()
      if not _installed:
        for name, function in _own.items():
          setattr(_binding, name, function)


def _execute_by_name(context, op, name, *arguments):
  own = _own["TFE_Py_FastPathExecute"]
  handler = getattr(_thread, "handler", None)
  if handler is None:
    return own(context, op, name, *arguments)
  if op in _READS:
    # Tapes would be told of what the handler reads in a variable's place. The
    # caller goes the long way then, by `_execute`, and tells them itself, of
    # the variable. So since TensorFlow 2.0.
    raise _core._FallbackException()
  return handler(op, arguments, lambda a: own(context, op, name, *a))


def _execute(context, device, op, inputs, attributes, num_outputs):
  own = _own["TFE_Py_Execute"]
  handler = getattr(_thread, "handler", None)
  if handler is None:
    return own(context, device, op, inputs, attributes, num_outputs)

  def run(arguments, name=op):
    return own(context, device, name, arguments, attributes, num_outputs)

  return handler(op.decode() if isinstance(op, bytes) else op, inputs, run)


def function_def(name: str) -> FunctionDef | None:
  """What the function that is called `name` does; None if there is none."""
  context: Any = _context.context()
  return context.get_function_def(name) if context.has_function(name) else None


@contextlib.contextmanager
def functions_added() -> Iterator[Callable[[FunctionDef], None]]:
  """Gives `add(definition)`, for functions that only this context needs.

  `Context` has had methods for that since TensorFlow 2.0.
  """
  context: Any = _context.context()
  added = []

  def add(definition: FunctionDef) -> None:
    context.add_function_def(definition)
    added.append(definition.signature.name)

  try:
    yield add
  finally:
    for name in added:
      context.remove_function(name)


def plain_variable(value: Any) -> Any:
  """A variable of this thread's device, whatever scopes it is in.

  `tf.Variable` asks the creators and strategies in whose scopes it is called.
  The class has been in this place since TensorFlow 1.0.
  """
  return _resources.ResourceVariable(initial_value=value, trainable=False)


def has_values(handle: Any) -> bool:
  """Whether a resource is a variable, and no table or iterator."""
  return handle_data(handle) is not None


def handle_data(handle: Any) -> Any:
  """Shape and dtype behind the handle of a variable, or None."""
  data = getattr(handle, "_handle_data", None)
  if data is None or not data.is_set or len(data.shape_and_type) != 1:
    return None
  return data.shape_and_type[0]


@contextlib.contextmanager
def op_seeds_kept() -> Iterator[None]:
  """Leaves the seeds that `tf.random.set_seed` deals out as they were."""
  random: Any = getattr(_context.context(), "_rng", None)
  state = random.getstate() if random is not None else None
  try:
    yield
  finally:
    if state is not None:
      random.setstate(state)
