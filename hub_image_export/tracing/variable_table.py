"""The variables of a module: found at the source, named, shared by variants."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from hub_image_export.tensorflow_api import private
from hub_image_export.tracing.trace import Trace
from hub_image_export.weights.variable import Variable, handle_of

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_./\\-]")


class VariableTable:
  """Names the variables that traces captured.

  Variables that exist outside of a trace are told apart by their handles.
  Those that a TF1 function makes are made anew by each trace, and told apart
  by their names: the first trace's are kept, with their initial values.
  """

  def __init__(self) -> None:
    self._by_handle: dict[int, Variable] = {}
    self._made: dict[str, Variable] = {}
    self._names: set[str] = set()

  def add(self, trace: Trace) -> tuple[dict[str, Variable], dict[str, Any]]:
    """Takes a trace's captures in, in the order of its graph.

    Returns:
      `(variables, others)`: from the name of a placeholder in the graph to
      the variable that it stands for, or to whatever else was captured.
    """
    sources = {id(v.handle): v for v in private.variables(trace.wrapped.graph)}
    keras = _keras_variables(trace)
    captures = {
      placeholder.op.name: outside
      for outside, placeholder in private.captures(trace.wrapped.graph)
    }
    variables, others = {}, {}
    for op in trace.wrapped.graph.get_operations():
      if op.name not in captures:
        continue
      outside = captures[op.name]
      if id(outside) in sources:
        source = sources[id(outside)]
        variables[op.name] = self._find_or_add(
          source, keras.get(id(outside)), source.name in trace.made
        )
      else:
        others[op.name] = outside
    return variables, others

  def _find_or_add(
    self, source: Any, keras: tuple[str, bool] | None, made: bool
  ) -> Variable:
    if not hasattr(source.handle, "numpy"):
      raise ValueError(
        f"the variable {source.name!r} was made inside of a tf.Graph, so it "
        "has no value here: make the model with eager execution"
      )
    found = self._by_handle.get(id(source.handle))
    if found is None and made:
      found = self._made.get(source.name)
    if found is None:
      name, trainable = keras or (source.name, source.trainable)
      found = Variable(self._unique(name), source, trainable)
      if made:
        self._made[source.name] = found
    self._by_handle[id(source.handle)] = found
    return found

  def _unique(self, name: str) -> str:
    base = _NOT_IN_NAMES.sub("_", name.partition(":")[0]).lstrip("_/-\\")
    base = base or "variable"
    name, count = base, 0
    while name in self._names:
      count += 1
      name = f"{base}_{count}"
    self._names.add(name)
    return name


def _keras_variables(trace: Trace) -> dict[int, tuple[str, bool]]:
  """Name and trainability as Keras sees them, by handle.

  A layer that is frozen does not say so to its variables in Keras 2, and a
  variable of Keras 3 has its full name in `path` alone.
  """
  found = {}
  for layer in trace.layers.roots:
    trainable = {id(handle_of(v)) for v in layer.trainable_variables}
    for variable in layer.variables:
      name = getattr(variable, "path", None) or variable.name
      handle = id(handle_of(variable))
      found[handle] = name, handle in trainable
  return found


def used(variables: Iterable[Variable]) -> tuple[Variable, ...]:
  """The variables sorted by name, each once."""
  by_name = {variable.name: variable for variable in variables}
  return tuple(by_name[name] for name in sorted(by_name))
