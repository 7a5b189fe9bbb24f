# SPDX-License-Identifier: Apache-2.0
"""The objects of a SavedModel in the TF2 format, as its files tell them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

from hub_image_export import contract
from hub_image_export.checker.shapes import Shape, dims
from hub_image_export.untrusted.graph import Graph

CALL = "__call__"
_LISTS = ("trackable_list_wrapper", "trackable_tuple_wrapper")


class Spec(NamedTuple):
  """A tensor that is an argument or a result."""

  shape: Shape | None
  dtype: int


@dataclasses.dataclass(frozen=True)
class Parameter:
  """Of a function; `default` counts only where it is not `required`."""

  name: str
  required: bool
  default: Any = None


@dataclasses.dataclass(frozen=True)
class Trace:
  """One concrete function behind a `tf.function`.

  Attributes:
    name: of the function in the library.
    arguments: a Spec or a Python value for each parameter that was given.
    result: a Spec, or a list, tuple or dict.
    captured: the nodes of objects that it uses.
  """

  name: str
  arguments: dict[str, Any]
  result: Any
  captured: tuple[int, ...]

  @property
  def options(self) -> dict[str, Any]:
    """The arguments that are Python values."""
    return {n: v for n, v in self.arguments.items() if not _has_spec(v)}


class SavedFunction:
  """A `tf.function`: its parameters and traces."""

  def __init__(self, objects: SavedObjects, node: int):
    self.node = node
    proto = objects.nodes[node].function
    spec = decode(proto.function_spec.fullargspec) or {}
    names, defaults = list(spec.get("args") or ()), spec.get("defaults") or ()
    if proto.function_spec.is_method or names[:1] == ["self"]:
      names = names[1:]
    required = len(names) - len(defaults)
    self.parameters = [
      Parameter(
        name, i < required, defaults[i - required] if i >= required else None
      )
      for i, name in enumerate(names)
    ]
    keywords = spec.get("kwonlydefaults") or {}
    self.parameters += [
      Parameter(name, name not in keywords, keywords.get(name))
      for name in spec.get("kwonlyargs") or ()
    ]
    self.traces = [
      _trace(objects, name, names) for name in proto.concrete_functions
    ]

  @property
  def captured(self) -> set[int]:
    """The nodes of objects that its traces use."""
    return {node for trace in self.traces for node in trace.captured}

  def parameter(self, name: str) -> Parameter | None:
    return next((p for p in self.parameters if p.name == name), None)


def _trace(objects: SavedObjects, name: str, names: list[str]) -> Trace:
  concrete = objects.concrete_functions[name]
  given = decode(concrete.canonicalized_input_signature)
  positional, keywords = given if isinstance(given, tuple) else ((), {})
  arguments = dict(zip(names, positional)) | dict(keywords)
  result = decode(concrete.output_signature)
  return Trace(name, arguments, result, tuple(concrete.bound_inputs))


class SavedObjects:
  """The graph of objects; 0 is the root, by TensorFlow's own convention.

  Attributes:
    meta_graph: that holds them.
    nodes: SavedObjects of the proto.
    graph: the functions.
  """

  def __init__(self, meta_graph: Any):
    self.meta_graph = meta_graph
    self.nodes = meta_graph.object_graph_def.nodes
    self.concrete_functions = meta_graph.object_graph_def.concrete_functions

  @functools.cached_property
  def graph(self) -> Graph:
    return Graph(self.meta_graph.graph_def)

  def kind(self, node: int) -> str:
    return self.nodes[node].WhichOneof("kind") or ""

  def children(self, node: int) -> dict[str, int]:
    return {c.local_name: c.node_id for c in self.nodes[node].children}

  def child(self, node: int, name: str) -> int | None:
    return self.children(node).get(name)

  def items(self, node: int, name: str) -> list[int] | None:
    """What the list `name` of an object holds; None where it is no list."""
    found = self.child(node, name)
    if found is None or self.kind(found) != "user_object":
      return None
    if self.nodes[found].user_object.identifier not in _LISTS:
      return None
    return list(self.children(found).values())

  def function(self, node: int | None) -> SavedFunction | None:
    """The `tf.function` that a node is."""
    if node is None or self.kind(node) != "function":
      return None
    return SavedFunction(self, node)

  def is_variable(self, node: int) -> bool:
    return self.kind(node) == "variable"

  def is_trainable(self, node: int) -> bool:
    return self.is_variable(node) and self.nodes[node].variable.trainable

  def variable_name(self, node: int) -> str:
    return self.nodes[node].variable.name or f"variable {node}"

  def variables_behind(self, node: int) -> Iterator[int]:
    """Of an object, and of what it holds."""
    pending, seen = [node], set()
    while pending:
      current = pending.pop()
      if current in seen:
        continue
      seen.add(current)
      if self.is_variable(current):
        yield current
      pending += self.children(current).values()

  @functools.cached_property
  def signatures(self) -> dict[str, Any]:
    """Served signatures, without what TensorFlow itself needs."""
    found = self.meta_graph.signature_def
    return {n: found[n] for n in found if not n.startswith("__saved_model")}


@dataclasses.dataclass(frozen=True)
class Callable:
  """The root, or the sub-object of a task (T1, T12).

  Attributes:
    objects: that it is one of.
    name: of the sub-object; empty for the root.
    node: where it stands.
    task: the task that it does, where that is known.
  """

  objects: SavedObjects
  name: str
  node: int
  task: str | None

  @functools.cached_property
  def call(self) -> SavedFunction | None:
    return self.objects.function(self.objects.child(self.node, CALL))

  def where(self, part: str = CALL) -> str:
    """`image_classification.__call__`."""
    return f"{self.name}.{part}" if self.name else part

  @property
  def images(self) -> list[Any]:
    """What stands for the first argument in each trace."""
    if self.call is None or not self.call.parameters:
      return []
    first = self.call.parameters[0].name
    return [trace.arguments.get(first) for trace in self.call.traces]

  @property
  def is_classifier(self) -> bool:
    return self.task == contract.IMAGE_CLASSIFICATION

  @property
  def width(self) -> int | None:
    """Of the plain call's result."""
    for trace in self.call.traces if self.call else ():
      if is_plain(self.call, trace) and isinstance(trace.result, Spec):
        shape = trace.result.shape
        return shape[1] if shape is not None and len(shape) == 2 else None
    return None


@dataclasses.dataclass(frozen=True)
class ReusableModule:
  """A directory in the TF2 format."""

  directory: str
  objects: SavedObjects


def callables(objects: SavedObjects) -> list[Callable]:
  """The root, then the sub-objects that have a task's name."""
  children = objects.children(0)
  subs = [task for task in contract.TASKS if task in children]
  root = Callable(objects, "", 0, _task_of_root(objects, subs))
  return [root, *(Callable(objects, t, children[t], t) for t in subs)]


def _task_of_root(objects: SavedObjects, subs: list[str]) -> str | None:
  """The sub-object that is called alike, or the one signature of a task."""
  ours = objects.child(0, CALL)
  for task in subs:
    if objects.child(objects.children(0)[task], CALL) == ours:
      return task
  served = [task for task in contract.TASKS if task in objects.signatures]
  return served[0] if len(served) == 1 else None


def is_plain(call: SavedFunction | None, trace: Trace) -> bool:
  """Whether a trace has defaults for all but images and `training`."""
  return call is not None and all(
    (parameter := call.parameter(name)) is not None
    and (name == contract.TRAINING or value == parameter.default)
    for name, value in trace.options.items()
  )


def _has_spec(value: Any) -> bool:
  if isinstance(value, dict):
    return any(map(_has_spec, value.values()))
  if isinstance(value, (list, tuple)) and not isinstance(value, Spec):
    return any(map(_has_spec, value))
  return isinstance(value, Spec)


def decode(value: Any) -> Any:
  """A StructuredValue as Python values; tensors as `Spec`."""
  kind = value.WhichOneof("kind")
  if kind is None or kind == "none_value":
    return None
  content = getattr(value, kind)
  if kind in ("list_value", "tuple_value"):
    decoded = [decode(v) for v in content.values]
    return decoded if kind == "list_value" else tuple(decoded)
  if kind == "dict_value":
    return {key: decode(content.fields[key]) for key in content.fields}
  if kind == "named_tuple_value":
    return {pair.key: decode(pair.value) for pair in content.values}
  if kind in ("tensor_spec_value", "bounded_tensor_spec_value"):
    return Spec(dims(content.shape), content.dtype)
  return content
