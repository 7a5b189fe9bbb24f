# SPDX-License-Identifier: Apache-2.0
"""A TF1 Hub module as a function on images: a source like any other.

`hub.Module` cannot be used where eager variables are wanted, but all that a
module consists of is at hand: a graph for each variant, and a checkpoint.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from absl import logging

from hub_image_export import arguments, contract
from hub_image_export.graph import custom_gradients as gradients, ref_variables
from hub_image_export.graph.graph_defs import (
  ASSIGNMENTS,
  ancestors,
  descendants,
  drop_attribute,
  node_of,
  prune,
)
from hub_image_export.graph.state_ops import UNORDERED
from hub_image_export.sources import hub_module_specs as module_specs
from hub_image_export.sources.hub_module_outputs import Outputs, Signatures
from hub_image_export.sources.source import Source
from hub_image_export.tensorflow_api import private, private_hub
from hub_image_export.tensorflow_api.compat import hub, tf
from hub_image_export.tensorflow_api.protos import GraphDef, VariableDef
from hub_image_export.tensorflow_api.runtime import run_eagerly
from hub_image_export.tensorflow_api.types import Graph, ModuleSpec, Tensor
from hub_image_export.weights.readers import NamedValues, tensorflow_files

_UPDATES = frozenset({*ASSIGNMENTS, *ref_variables.ASSIGNMENTS})


class ModuleFunction:
  """An existing TF1 Hub module, as `fn` for a builder or inside of one.

  Called in graph code, it returns a dict of tensors and adds the module's
  weight penalties to REGULARIZATION_LOSSES, and its updates to UPDATE_OPS. It
  repairs what published modules have wrong: its own names of the input, the
  signatures and outputs do not matter, updates that are in no collection are
  found, and old reference variables become resources.
  """

  def __init__(
    self,
    module: Any,
    outputs: Mapping[str, str] | None = None,
    *,
    tasks: tuple[str, ...] | None = (),
  ) -> None:
    """Reads the module, and makes its variables.

    Args:
      module: path of a TF1 Hub module, or `hub.load_module_spec(path)`.
      outputs: what to return, by key ("default", names of tasks, endpoints):
        the name of a signature of the module (for its main output), of one of
        the default signature's outputs, or of any tensor or op in its graph.
        None takes what the signatures say.
      tasks: the tasks that are wanted, where `outputs` does not say; None for
        all that there are.

    Raises:
      TypeError: an argument is of the wrong type.
      ValueError: there is no such module, or it has no such outputs; the
        nearest names are told.
      WeightsError: the module's checkpoint is damaged.
    """
    if not isinstance(module, hub.ModuleSpec):
      module = module_specs.load("module", module)
    handler = private_hub.handler_of(module)
    graphs = {
      frozenset(tags): handler.get_meta_graph_copy(tags)
      for tags in handler.get_tags()
    }
    self._selection = Outputs.of(outputs, tasks)
    self._variables: dict[str, Any] = {}
    read = _reader(module)
    run_eagerly(lambda: self._make_variables(graphs.values(), read))
    self._variants = {
      bool(tags): _Variant.of(graph, self._selection, set(self._variables))
      for tags, graph in graphs.items()
    }

  def as_source(self) -> Source:
    """What a builder makes of it."""
    return Source(
      name="TF1 Hub module",
      call=self,
      training_parameter="is_training" if True in self._variants else None,
      takes_momentum=any(v.momentum for v in self._variants.values()),
    )

  def _make_variables(self, graphs: Iterable[Any], read: Any) -> None:
    for graph in graphs:
      trainable = {
        proto.variable_name
        for proto in _protos(graph, contract.TRAINABLE_VARIABLES)
      }
      for proto in _protos(graph, contract.VARIABLES):
        name = node_of(proto.variable_name)
        if name not in self._variables:
          self._variables[name] = tf.Variable(
            read(proto),
            trainable=proto.variable_name in trainable,
            name=name,
          )

  def __call__(
    self,
    images: Any,
    is_training: bool = False,
    batch_norm_momentum: Any = None,
  ) -> dict[str, Any]:
    """Adds a variant's graph to the current one.

    Raises:
      TypeError, ValueError: it cannot take these images, or is called where
        TensorFlow traces no function.
    """
    graph = tf.compat.v1.get_default_graph()
    images = _images_tensor(images, graph)
    arguments.check_bool("is_training", is_training)
    if batch_norm_momentum is not None and not tf.is_tensor(
      batch_norm_momentum
    ):
      arguments.check_fraction(
        "batch_norm_momentum", batch_norm_momentum, "a tensor, or None (H1)"
      )
    variant = self._variants[is_training and True in self._variants]
    replaced = dict.fromkeys(variant.images, images)
    if batch_norm_momentum is not None and variant.momentum:
      replaced[variant.momentum] = batch_norm_momentum
    for name, variable in self._variables.items():
      if name in variant.variables:
        tf.identity(variable)  # Makes it known to the graph.
        replaced[f"{name}:0"] = private.capture(graph, variable.handle)
        graph.add_to_collection(UNORDERED, variable.handle)
    added = {
      contract.REGULARIZATION_LOSSES: variant.penalties,
      # Ops, not tensors: what assigns a resource gives none.
      contract.UPDATE_OPS: [node_of(name) for name in variant.updates],
    }
    wanted = [*variant.outputs.values(), *itertools.chain(*added.values())]
    try:
      found = tf.import_graph_def(
        variant.graph_def, replaced, wanted, name="module"
      )
    except ValueError as error:
      raise ValueError(
        f"the module cannot be used on images {images.shape}: {error!s:.300}"
      ) from error
    rest = iter(found[len(variant.outputs) :])
    for key, names in added.items():
      for element in itertools.islice(rest, len(names)):
        graph.add_to_collection(key, element)
    return dict(zip(variant.outputs, found))


def _images_tensor(images: Any, graph: Graph) -> Tensor:
  """The images, as a tensor of the graph that is being traced (C12)."""
  if not private.is_traced(graph):
    raise ValueError(
      f"the module is called on images {arguments.shown(images)} where nothing "
      "is traced: expected the call in a function that a builder gets, or give "
      "it to the builder itself. hub.Module is for TF1 graphs"
    )
  if not tf.is_tensor(images) or images.dtype != tf.float32:
    raise arguments.wrong_type("images", images, "a float32 tensor (C12)")
  # An eager tensor has no graph; it becomes a constant of this one.
  return images if hasattr(images, "graph") else tf.identity(images)


@dataclasses.dataclass(frozen=True)
class _Variant:
  """Attributes: the graph without variables, and names of tensors in it."""

  graph_def: GraphDef
  images: list[str]
  momentum: str | None
  outputs: dict[str, str]
  penalties: list[str]
  updates: list[str]
  variables: frozenset[str]

  @classmethod
  def of(
    cls, meta_graph: Any, selection: Outputs, variables: set[str]
  ) -> _Variant:
    signatures = Signatures(meta_graph)
    outputs = selection.find(signatures)
    penalties = _collection(meta_graph, contract.REGULARIZATION_LOSSES)
    graph_def = GraphDef()
    graph_def.CopyFrom(meta_graph.graph_def)
    drop_attribute(graph_def, "_class")
    for node in graph_def.node:
      node.device = ""
    gradients.drop_custom_gradients(graph_def)
    updates = _updates(meta_graph, graph_def, signatures.images)
    graph_def = prune(
      graph_def, [*outputs.values(), *penalties, *updates, *signatures.images]
    )
    present = {node.name for node in graph_def.node}
    used = variables & present
    momentum = signatures.momentum
    graph_def = ref_variables.use_resources(graph_def)
    kept = GraphDef(versions=graph_def.versions, library=graph_def.library)
    kept.node.extend(n for n in graph_def.node if n.name not in used)
    return cls(
      kept,
      signatures.images,
      momentum if momentum and node_of(momentum) in present else None,
      outputs,
      penalties,
      updates,
      frozenset(used),
    )


def _reader(module: ModuleSpec) -> Callable[[VariableDef], Any]:
  """`read(proto)` gives the value of a variable of the module."""
  live = getattr(module, "function", None)
  if live is not None:  # A spec that is not a module on disk yet.
    by_name = {variable.name: variable for variable in live.variables}
    return lambda proto: by_name[node_of(proto.variable_name)].read()

  @functools.cache
  def values() -> NamedValues:
    prefix = module_specs.checkpoint_of("module", module)
    return tensorflow_files.open_prefix(prefix, "TF1 Hub module")

  def read(proto: Any) -> Any:
    part = proto.save_slice_info_def
    if not part.full_name:
      return values().read(node_of(proto.variable_name))
    whole = values().read(part.full_name)
    return whole[
      tuple(slice(o, o + n) for o, n in zip(part.var_offset, part.var_shape))
    ]

  return read


def _protos(meta_graph: Any, key: str) -> list[VariableDef]:
  return [
    VariableDef.FromString(value)
    for value in meta_graph.collection_def[key].bytes_list.value
  ]


def _collection(meta_graph: Any, key: str) -> list[str]:
  return list(meta_graph.collection_def[key].node_list.value)


def _updates(
  meta_graph: Any, graph_def: GraphDef, images: list[str]
) -> list[str]:
  """UPDATE_OPS, and assignments that belong there: they depend on images."""
  listed = _collection(meta_graph, contract.UPDATE_OPS)
  before = ancestors(graph_def, listed)
  after_images = descendants(graph_def, map(node_of, images))
  found = [
    node.name
    for node in graph_def.node
    if node.op in _UPDATES
    and node.name in after_images
    and node.name not in before
  ]
  if found:
    logging.warning(
      "The module has %d updates of variables that are not in UPDATE_OPS, "
      "where consumers look for them: put there (F4)",
      len(found),
    )
  return [*listed, *found]
