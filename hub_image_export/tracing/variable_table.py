# SPDX-License-Identifier: Apache-2.0
"""The variables of a module: found at the source, named, shared by variants."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from hub_image_export.arguments import called
from hub_image_export.errors import WeightsError
from hub_image_export.graph.state_ops import UNORDERED, Cell
from hub_image_export.tensorflow_api import private
from hub_image_export.tracing.trace import Trace
from hub_image_export.weights.variable import Variable, handle_of

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_./\\-]")


@dataclasses.dataclass(frozen=True)
class Captures:
  """What a trace captured, by the names of the placeholders in its graph.

  Attributes:
    variables: the variables.
    replicas: those of `variables` that a distribution strategy keeps beside
      another one, as copies.
    unordered: those of `variables` that have the order of TF1: that of edges.
    others: constants, or things that cannot be part of a module.
  """

  variables: dict[str, Variable]
  replicas: frozenset[str]
  unordered: frozenset[str]
  others: dict[str, Any]

  def cells(self) -> dict[str, Cell]:
    """The variables as passes know them."""
    found: dict[str, Cell] = {}
    by_name: dict[str, Cell] = {}
    for placeholder, v in self.variables.items():
      cell = Cell(
        v.name,
        v.dtype,
        v.shape,
        v.trainable,
        placeholder in self.unordered,
      )
      first = by_name.setdefault(v.name, cell)
      if placeholder in self.replicas:
        first = dataclasses.replace(cell, replica_of=first)
      found[placeholder] = first
    return found


class VariableTable:
  """Names the variables that traces captured.

  Variables that exist outside of a trace are told apart by their handles.
  Those that a TF1 function makes are made anew by each trace, and told apart
  by their names: the first trace's are kept, with their initial values, or
  those that the function took from a checkpoint in any of the traces.
  """

  def __init__(self) -> None:
    self._by_handle: dict[int, Variable] = {}
    self._made: dict[str, Variable] = {}
    self._names: set[str] = set()
    self._loaded: set[str] = set()

  def add(self, trace: Trace) -> Captures:
    """Takes a trace's captures in, in the order of its graph."""
    graph = trace.wrapped.graph
    sources = {id(v.handle): v for v in private.variables(graph)}
    keras = _keras_variables(trace)
    outside = {p.op.name: value for value, p in private.captures(graph)}
    by_edges = {id(handle) for handle in graph.get_collection(UNORDERED)}
    variables: dict[str, Variable] = {}
    others, replicas, unordered = {}, set(), set()
    for name in (op.name for op in graph.get_operations()):
      if name not in outside:
        continue
      source = sources.get(id(outside[name]))
      if source is None:
        others[name] = outside[name]
        continue
      made = source.name in trace.made
      first = private.first_replica(source)
      found = self._find_or_add(first, keras.get(id(first.handle)), made)
      if source.name in trace.imports.loaded - self._loaded:
        found.source.assign(source)
      if private.replicas(source) and found in variables.values():
        replicas.add(name)
      if id(source.handle) in by_edges or (
        made and id(first.handle) not in keras
      ):
        unordered.add(name)
      variables[name] = found
    self._loaded |= trace.imports.loaded
    unset = trace.imports.unset - self._loaded
    variables = {
      k: _without_value(v) if v.source.name in unset else v
      for k, v in variables.items()
    }
    return Captures(
      variables, frozenset(replicas), frozenset(unordered), others
    )

  def _find_or_add(
    self, source: Any, keras: tuple[str, bool] | None, made: bool
  ) -> Variable:
    found = self._by_handle.get(id(source.handle))
    if found is not None:
      return found
    if not hasattr(source.handle, "numpy"):
      raise ValueError(
        f"the variable {source.name!r} was made inside of a tf.Graph, so it "
        "has no value here: make the model with eager execution"
      )
    if not source.shape.is_fully_defined():
      raise ValueError(
        f"the variable {source.name!r} has the shape {source.shape}: expected "
        "one that is known. Make it without an argument shape"
      )
    check_replicas(source)
    if made:
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


def _without_value(variable: Variable) -> Variable:
  def read() -> Any:
    raise WeightsError(
      f"the variable {variable.name!r} comes from a meta graph without a "
      "checkpoint beside it, so it has no value: expected model.ckpt.index "
      f"beside model.ckpt.meta, or {called('checkpoint_path')}"
    )

  return dataclasses.replace(variable, stored=read)


def check_replicas(source: Any) -> None:
  """A module has one value of a variable: that of all replicas.

  Raises:
    ValueError: they differ, as averages do after training with a strategy.
  """
  values = [replica.numpy() for replica in private.replicas(source)]
  if any(not np.array_equal(value, values[0]) for value in values[1:]):
    raise ValueError(
      f"the replicas of the variable {source.name!r} have different values: "
      "expected one, which is what a module has. Assign what the variable "
      "reads as, within the strategy's scope: v.assign(v.read_value())"
    )


def _keras_variables(trace: Trace) -> dict[int, tuple[str, bool]]:
  """Name and trainability as Keras sees them, by handle.

  A layer that is frozen does not say so to its variables in Keras 2, and a
  variable of Keras 3 has its full name in `path` alone.
  """
  found = {}
  for layer in trace.layers.roots:
    trainable = {id(handle_of(v)) for v in layer.trainable_variables}
    for variable in layer.variables:
      if not hasattr(variable, "name"):
        continue  # The vocabulary of a lookup layer of Keras 2.
      name = getattr(variable, "path", None) or variable.name
      handle = id(handle_of(variable))
      found[handle] = name, handle in trainable
  return found


def used(variables: Iterable[Variable]) -> tuple[Variable, ...]:
  """The variables sorted by name, each once."""
  by_name = {variable.name: variable for variable in variables}
  return tuple(by_name[name] for name in sorted(by_name))
