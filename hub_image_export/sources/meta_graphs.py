# SPDX-License-Identifier: Apache-2.0
"""`model.ckpt.meta`: graphs of TF1's training programs, with their values.

`tf.compat.v1.train.import_meta_graph` gives a graph whose variables have no
values until a session restores them. Where a function is traced, they have
those of the checkpoint beside the file; the rest is as TF1 has it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from hub_image_export import arguments, contract
from hub_image_export.errors import SourceError
from hub_image_export.graph import imported
from hub_image_export.graph.graph_defs import (
  canonical,
  data_inputs,
  node_of,
  nodes_by_name,
)
from hub_image_export.tensorflow_api import private
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import (
  GraphDef,
  MetaGraphDef,
  VariableDef,
)
from hub_image_export.untrusted import saved_models
from hub_image_export.weights import readers
from hub_image_export.weights.readers import NamedValues

ENDING = ".meta"
_v1 = tf.compat.v1
# Collections that have another form than names, or that nothing asks for.
_NOT_RESTORED = ("savers", "cond_context", "while_context")


class Imports:
  """What functions got from meta graphs, in one trace.

  Attributes:
    loaded: names of variables that have their values from a checkpoint.
    unset: names of variables that have no values, for no checkpoint is there.
    collections: keys of collections that are those of the graphs.
  """

  def __init__(self) -> None:
    self.loaded: set[str] = set()
    self.unset: set[str] = set()
    self.collections: set[str] = set()

  @contextlib.contextmanager
  def with_values(self) -> Iterator[None]:
    """Lets `import_meta_graph` give variables with values, where it can."""
    with private.meta_graph_imports_go_to(self._import):
      yield

  def _import(
    self, original: Callable[[], Any], meta_graph: Any, options: dict[str, Any]
  ) -> Any:
    graph = _v1.get_default_graph()
    if not private.is_traced(graph):
      return original()
    values = None
    if not isinstance(meta_graph, MetaGraphDef):
      path = os.fspath(meta_graph)
      values = _values_beside(path)
      meta_graph = read(path)
    options.pop("graph", None)  # It is this one.
    return None, self._add(graph, meta_graph, values, **options)

  def _add(
    self,
    graph: Any,
    meta_graph: MetaGraphDef,
    values: NamedValues | None,
    import_scope: str | None = None,
    input_map: Mapping[str, Any] | None = None,
    return_elements: Any = None,
    **others: Any,
  ) -> Any:
    """Adds the graph to the one that is traced; gives what was asked for."""
    del others  # Devices and the like are cleared anyway.
    scope = f"{import_scope}/" if import_scope else ""
    replaced: dict[str, Any] = dict(input_map or {})
    graph_def = imported.fit_for_functions(
      meta_graph.graph_def,
      meta_graph.collection_def[contract.UPDATE_OPS].node_list.value,
      list(replaced),
    )
    variables = self._variables(meta_graph, graph_def, values, scope)
    for name, variable in variables.items():
      # Makes it known to the graph, by a name that no program has.
      tf.identity(variable, name=f"variable_of_meta_graph/{name}")
      replaced[f"{name}:0"] = private.capture(graph, variable.handle)
    _let_go_of_taken_names(graph, graph_def, replaced, scope)
    read = _read(graph_def)
    elements = tf.import_graph_def(
      graph_def,
      {k: v for k, v in replaced.items() if canonical(k) in read},
      return_elements,
      name=import_scope or "",
    )
    self._restore_collections(graph, meta_graph, variables, scope)
    return elements

  def _variables(
    self,
    meta_graph: MetaGraphDef,
    graph_def: GraphDef,
    values: NamedValues | None,
    scope: str,
  ) -> dict[str, Any]:
    """New variables, by the names of their nodes in the meta graph."""
    protos = {
      node_of(proto.variable_name): proto
      for key in (contract.TRAINABLE_VARIABLES, contract.VARIABLES)
      for proto in reversed(protos_of(meta_graph, key))
    }
    trainable = {
      node_of(p.variable_name)
      for p in protos_of(meta_graph, contract.TRAINABLE_VARIABLES)
    }
    _let_go(graph_def, _unread(graph_def))
    used = _read(graph_def)
    handles = [n for n in graph_def.node if n.op in imported.VARIABLE_OPS]
    made = {
      node.name: self._variable(
        node,
        protos.get(node.name, VariableDef()),
        values,
        node.name in trainable,
        scope,
      )
      for node in handles
      if node.name in used
    }
    references = {
      node.name: node.attr["dtype"].type
      for node in handles
      if node.op != "VarHandleOp"
    }
    _let_go(graph_def, {node.name for node in handles})
    _name_values(graph_def, references)
    return made

  def _variable(
    self,
    node: Any,
    proto: VariableDef,
    values: NamedValues | None,
    trainable: bool,
    scope: str,
  ) -> Any:
    dtype = tf.as_dtype(node.attr["dtype"].type)
    shape = tf.TensorShape(node.attr["shape"].shape)
    value = None if values is None else value_of(proto, node.name, values)
    is_set = value is not None
    if not is_set and not shape.is_fully_defined():
      raise SourceError(
        f"the variable {node.name!r} of a meta graph has no known shape, and "
        "no value: put its checkpoint beside the .meta file"
      )
    with tf.name_scope(""):
      variable = _v1.Variable(
        value if is_set else np.zeros(shape.as_list(), dtype.as_numpy_dtype),
        trainable=trainable,
        name=scope + node.name,
        use_resource=True,
      )
    if proto.save_slice_info_def.full_name:
      private.set_part(variable, proto.save_slice_info_def)
    (self.loaded if is_set else self.unset).add(variable.name)
    return variable

  def _restore_collections(
    self,
    graph: Any,
    meta_graph: MetaGraphDef,
    variables: Mapping[str, Any],
    scope: str,
  ) -> None:
    """What code may look for with `get_collection`; of variables, our own."""
    present = {
      operation.name: operation for operation in graph.get_operations()
    }
    of_holder = (contract.VARIABLES, contract.TRAINABLE_VARIABLES)
    for key, collection in meta_graph.collection_def.items():
      if key in _NOT_RESTORED or key in of_holder:
        continue
      self.collections.add(key)
      for name in collection.node_list.value:
        operation = present.get(node_of(scope + name))
        if operation is None:
          continue
        # What assigns to a reference gives it; what assigns a resource, none.
        element = (
          graph.as_graph_element(scope + name)
          if operation.outputs
          else operation
        )
        graph.add_to_collection(key, element)
      for proto in protos_of(meta_graph, key):
        if node_of(proto.variable_name) in variables:
          variable = variables[node_of(proto.variable_name)]
          graph.add_to_collection(key, variable)


def read(path: str) -> MetaGraphDef:
  """Parses a `.meta` file, binary or text.

  Raises:
    ValueError: there is none, or it is damaged, or too large.
  """
  problem: Exception | None = None
  for is_text in (False, True):
    try:
      proto = MetaGraphDef()
      saved_models.read(path, proto, is_text)
      return proto
    except (OSError, ValueError) as error:
      problem = problem or error
  raise ValueError(
    f"{arguments.shown(path)} is no meta graph that can be read: "
    f"{type(problem).__name__}: {problem!s:.200}. Expected the file "
    "model.ckpt.meta that tf.compat.v1.train.Saver wrote"
  ) from problem


def _values_beside(path: str) -> NamedValues | None:
  prefix = path[: -len(ENDING)] if path.endswith(ENDING) else path
  if not os.path.exists(prefix + ".index"):
    return None
  return readers.open_values(prefix)


def value_of(proto: VariableDef, name: str, values: NamedValues) -> Any:
  """The value of a variable, or of a part of one; None where there is none."""
  part = proto.save_slice_info_def
  key = values.find(part.full_name or name)
  if key is None:
    return None
  value = values.read(key)
  if not part.full_name:
    return value
  bounds = zip(part.var_offset, part.var_shape)
  return value[tuple(slice(begin, begin + size) for begin, size in bounds)]


def protos_of(meta_graph: MetaGraphDef, key: str) -> list[VariableDef]:
  """The variables in a collection; none where it has something else."""
  if key not in (*_OF_VARIABLES, contract.MODEL_VARIABLES):
    return []
  return [
    VariableDef.FromString(value)
    for value in meta_graph.collection_def[key].bytes_list.value
  ]


_OF_VARIABLES = (
  contract.VARIABLES,
  contract.TRAINABLE_VARIABLES,
  "local_variables",
  "moving_average_variables",
)


def _name_values(graph_def: GraphDef, references: Mapping[str, Any]) -> None:
  """Lets `name:0` of a reference variable be its value, as in TF1."""
  present = nodes_by_name(graph_def)
  for name, dtype in references.items():
    value = f"{name}/read_value"
    if value in present:
      named = graph_def.node.add(name=name, op="Identity", input=[value])
      named.attr["T"].type = dtype


def _unread(graph_def: GraphDef) -> set[str]:
  """Reads that nothing takes, of the slots of optimizers, say."""
  read = {node_of(i) for node in graph_def.node for i in node.input}
  return {
    node.name
    for node in graph_def.node
    if node.op == "ReadVariableOp" and node.name not in read
  }


def _read(graph_def: GraphDef) -> set[str]:
  """The tensors that nodes take."""
  return {canonical(i) for node in graph_def.node for i in data_inputs(node)}


def _let_go(graph_def: GraphDef, names: Container[str]) -> None:
  kept = [node for node in graph_def.node if node.name not in names]
  copies = GraphDef(node=kept)
  del graph_def.node[:]
  graph_def.node.extend(copies.node)


def _let_go_of_taken_names(
  graph: Any, graph_def: GraphDef, replaced: Iterable[str], scope: str
) -> None:
  """Drops replaced placeholders whose names the images have here."""
  taken = {operation.name for operation in graph.get_operations()}
  stale = set(map(node_of, replaced))
  _let_go(
    graph_def,
    {
      node.name
      for node in graph_def.node
      if node.name in stale and not node.input and scope + node.name in taken
    },
  )
