# SPDX-License-Identifier: Apache-2.0
"""A variant of a module, ready to run."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from hub_image_export import contract
from hub_image_export.checker.judged import JudgedSignature, JudgedVariant
from hub_image_export.checker.running import gradient_kinds
from hub_image_export.checker.running.probe_images import same_for
from hub_image_export.tensorflow_api import private_hub
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import MetaGraphDef
from hub_image_export.untrusted.graph import PLACEHOLDER_OPS, node_name

# Besides the graph itself: what runs beside its outputs, and what gradients
# need to know of loops and branches.
_COLLECTIONS = (contract.UPDATE_OPS, "cond_context", "while_context")


def plain_signature(variant: JudgedVariant) -> JudgedSignature | None:
  """The first image signature that takes `images` and nothing else."""
  for signature in variant.image_signatures:
    if signature.inputs.keys() == {contract.IMAGES}:
      return signature
  return None


def load_with_hub(spec: Any, applied: JudgedSignature) -> None:
  """Instantiates the module, applies a signature, and restores its variables,
  as a consumer does.

  Raises:
    Exception: whatever `hub.Module` and its saver raise.
  """
  tags, signature = applied.variant.tags, applied.name
  with tf.Graph().as_default() as graph:
    module, restore = private_hub.instantiated(
      spec,
      literally=not applied.variant.is_saved_plainly,
      trainable=True,
      tags=tags,
    )
    infos = spec.get_input_info_dict(signature, tags)
    shape = infos[contract.IMAGES].get_shape()
    images = tf.compat.v1.placeholder(tf.float32, shape)
    module({contract.IMAGES: images}, signature=signature, as_dict=True)
  with tf.compat.v1.Session(graph=graph, config=_config()) as session:
    restore(session)


class RunningVariant:
  """A variant in a graph and a session of its own, with its weights.

  The graph is imported once, and has the tensors of all signatures. What
  `hub.Module` does beyond that, in Python for each variable, takes longer than
  all that is run here: `load_with_hub` does it once for a module.

  Attributes:
    variant: what is running.
    images: the tensor that is fed with its images.
    update_ops: the operations in UPDATE_OPS.
    trainable: the tensors of the variables in TRAINABLE_VARIABLES: handles, or
      references to their values.
  """

  def __init__(self, spec: Any, applied: JudgedSignature):
    """Builds the graph.

    Args:
      spec: the module, as `hub.load_module_spec` gives it.
      applied: the `plain_signature` of the variant.
    """
    self.variant = variant = applied.variant
    # As hub.Module calls it; errors name their nodes with it.
    self._scope = f"module_apply_{applied.name.replace(':', '_')}"
    self._graph = tf.Graph()
    self._reads: dict[str, Any] = {}
    self._writes: dict[str, tuple[Any, Any]] = {}
    with self._graph.as_default():
      tf.compat.v1.train.import_meta_graph(
        _to_be_run(private_hub.meta_graph(spec, variant.tags)),
        import_scope=self._scope,
      )
      self.images = self.tensor(applied.inputs[contract.IMAGES].name)
      self.update_ops = list(tf.compat.v1.get_collection(contract.UPDATE_OPS))
      self.trainable = list(map(self._variable, variant.trainable))
      tables = variant.collection("table_initializer")
      self._init = [
        *self._restore(private_hub.checkpoint_of(spec)),
        *map(self._element, tables),
      ]
    self._session = tf.compat.v1.Session(graph=self._graph, config=_config())

  def __enter__(self) -> RunningVariant:
    self._session.run(self._init)
    return self

  def __exit__(self, *unused_exception: object) -> None:
    self._session.close()

  @functools.cached_property
  def same(self) -> float:
    """How far answers may be apart that are the same."""
    return same_for(self.variant.graph.all_nodes())

  def tensor(self, name: str) -> Any:
    """The tensor of the module's own graph that is called `name`."""
    return self._graph.get_tensor_by_name(f"{self._scope}/{name}")

  def _element(self, name: str) -> Any:
    """The operation or tensor that a collection names."""
    return self._graph.as_graph_element(f"{self._scope}/{name}")

  def _variable(self, name: str) -> Any:
    return self.tensor(f"{name}:0")

  def _restore(self, prefix: str | None) -> list[Any]:
    """Operations that give all variables their values in the checkpoint."""
    variables = self.variant.variables
    for variable in variables.values():
      # hub.Module wants them all, for whoever exports the module again.
      for name in filter(None, (variable.initializer, variable.snapshot)):
        self._element(name)
    if not variables or prefix is None:
      return []
    tensors = [self._variable(name) for name in variables]
    values = tf.raw_ops.RestoreV2(
      prefix=prefix,
      tensor_names=[v.key for v in variables.values()],
      shape_and_slices=[v.part for v in variables.values()],
      dtypes=[v.dtype for v in variables.values()],
    )
    return _assignments(tensors, values)

  def outputs(self) -> dict[str, Any]:
    """The tensors `default` of all image signatures that have one."""
    return {
      signature.name: self.tensor(signature.tensor)
      for signature in self.variant.image_signatures
      if signature.tensor
    }

  def run(
    self,
    fetches: Any,
    images: np.ndarray,
    given: Mapping[str, Any] | None = None,
  ) -> Any:
    """Runs with `images` as those of every signature.

    Args:
      fetches: what `Session.run` takes.
      images: float32, `[batch_size, height, width, 3]`.
      given: values by names of tensors: for the inputs of H1, or instead of
        what the graph computes.
    """
    feeds: dict[Any, Any] = {self.images: images}
    for signature in self.variant.image_signatures:
      inputs = signature.inputs
      if contract.IMAGES in inputs:
        feeds[self.tensor(inputs[contract.IMAGES].name)] = images
      if contract.BATCH_NORM_MOMENTUM in inputs:
        tensor = inputs[contract.BATCH_NORM_MOMENTUM].name
        if self.variant.graph.op(node_name(tensor)) in PLACEHOLDER_OPS:
          default = contract.DEFAULT_BATCH_NORM_MOMENTUM
          feeds[self.tensor(tensor)] = default
    for tensor, value in (given or {}).items():
      feeds[self.tensor(tensor)] = value
    return self._session.run(fetches, feeds)

  def values(self, names: Iterable[str]) -> dict[str, np.ndarray]:
    """The present values of the module's variables `names`."""
    names = set(names) & self.variant.variables.keys()
    with self._graph.as_default():
      for name in names - self._reads.keys():
        self._reads[name] = _read(
          self._variable(name), self.variant.variables[name].dtype
        )
    return self._session.run({name: self._reads[name] for name in names})

  def assign(self, values: dict[str, np.ndarray]) -> None:
    """Gives the module's variables other `values`."""
    feeds = {}
    with self._graph.as_default():
      for name, value in values.items():
        if name not in self._writes:
          new = tf.compat.v1.placeholder(value.dtype, value.shape)
          assigned = _assignments([self._variable(name)], [new])
          self._writes[name] = new, *assigned
        feeds[self._writes[name][0]] = value
    self._session.run([self._writes[name][1] for name in values], feeds)

  def all_get_gradients(self) -> bool:
    """Whether each trainable variable certainly gets a gradient.

    That takes a fraction of what `gradients` does.
    """
    signatures = self.variant.image_signatures
    outputs = [s.tensor for s in signatures if s.tensor]
    with self._graph.as_default():
      return gradient_kinds.reach_all(self.variant, self._element, outputs)

  def gradients(self) -> list[Any]:
    """Builds those of all outputs by the trainable variables.

    Gradients of loops change ops that a session may have run already: nothing
    can be run after this.
    """
    outputs = {tensor.name: tensor for tensor in self.outputs().values()}
    with self._graph.as_default():
      return tf.gradients(list(outputs.values()), self.trainable)


def _config() -> Any:
  # Grappler would take longer to rewrite a graph than it takes to run it.
  config = tf.compat.v1.ConfigProto(allow_soft_placement=True)
  config.graph_options.rewrite_options.disable_meta_optimizer = True
  return config


def own_name(tensor: Any) -> str:
  """The name that a tensor of a running variant has in the module."""
  return tensor.name.partition("/")[2]


def _to_be_run(meta_graph: MetaGraphDef) -> MetaGraphDef:
  """A copy without the collections that nothing here needs."""
  copy = MetaGraphDef(
    meta_info_def=meta_graph.meta_info_def, graph_def=meta_graph.graph_def
  )
  for name in _COLLECTIONS:
    if name in meta_graph.collection_def:
      copy.collection_def[name].CopyFrom(meta_graph.collection_def[name])
  return copy


def _assignments(variables: list[Any], values: list[Any]) -> list[Any]:
  """Operations that give each variable its value.

  They come into the graph as nodes: functions would make them one by one.
  """
  nodes = tf.compat.v1.GraphDef()
  given: dict[str, Any] = {}
  for i, (variable, value) in enumerate(zip(variables, values)):
    slot = f"variable_{i}", f"value_{i}"
    node = nodes.node.add(name=f"assign_{i}", input=slot)
    if variable.dtype == tf.resource:
      node.op, type_ = "AssignVariableOp", "dtype"
    else:
      node.op, type_ = "Assign", "T"
    node.attr[type_].type = value.dtype.as_datatype_enum
    given.update(zip(slot, (variable, value)))
  names = [node.name for node in nodes.node]
  return tf.graph_util.import_graph_def(
    nodes, input_map=given, return_elements=names, name="assigned"
  )


def _read(variable: Any, dtype: int) -> Any:
  if variable.dtype == tf.resource:
    return tf.raw_ops.ReadVariableOp(resource=variable, dtype=dtype)
  return tf.identity(variable)
