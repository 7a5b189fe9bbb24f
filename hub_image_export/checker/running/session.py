"""A variant of a module, loaded as a consumer does, ready to run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from hub_image_export import contract
from hub_image_export.checker.module import Variant
from hub_image_export.tensorflow_api import private_hub
from hub_image_export.tensorflow_api.compat import hub, tf
from hub_image_export.untrusted.graph import PLACEHOLDER_OPS, node_name


def primary_signature(variant: Variant) -> str | None:
  """The first image signature that takes `images` and nothing else."""
  for name in variant.image_signatures:
    if set(variant.signatures[name].inputs) == {contract.IMAGES}:
      return name
  return None


class LoadedVariant:
  """One hub.Module, applied once, in a graph and a session of its own.

  Applying one signature imports the whole graph. The others' tensors are
  taken from there by name, which spares an import (seconds, for a large
  module) for each.
  """

  def __init__(self, spec: Any, variant: Variant, trainable: bool):
    self.variant = variant
    self._primary = primary_signature(variant)
    self._images_name = (
      variant.signatures[self._primary].inputs[contract.IMAGES].name
    )
    self._graph = tf.Graph()
    with self._graph.as_default():
      self.module = hub.Module(spec, trainable=trainable, tags=variant.tags)
      shape = spec.get_input_info_dict(self._primary, variant.tags)[
        contract.IMAGES
      ].get_shape()
      self.images = tf.compat.v1.placeholder(tf.float32, shape)
      self._outputs = self.module(
        {contract.IMAGES: self.images}, signature=self._primary, as_dict=True
      )
      self.update_ops = list(tf.compat.v1.get_collection(contract.UPDATE_OPS))
      self.trainable = tf.compat.v1.trainable_variables()
      self._init = [
        tf.compat.v1.variables_initializer(self.module.variables),
        tf.compat.v1.tables_initializer(),
      ]
    self._scope = private_hub.apply_scope(self._graph, self._primary)
    config = tf.compat.v1.ConfigProto(allow_soft_placement=True)
    self._session = tf.compat.v1.Session(graph=self._graph, config=config)

  def __enter__(self) -> LoadedVariant:
    self._session.run(self._init)
    return self

  def __exit__(self, *unused_exception: object) -> None:
    self._session.close()

  def as_default(self) -> Any:
    return self._graph.as_default()

  def tensor(self, name: str) -> Any:
    """The tensor of the module's own graph that is called `name`."""
    if name == self._images_name:
      return self.images
    return self._graph.get_tensor_by_name(self._scope + name)

  def output(self, signature: str) -> Any:
    """The tensor `default` of a signature."""
    if signature == self._primary:
      return self._outputs[contract.DEFAULT_OUTPUT]
    return self.tensor(self.variant.output(signature))

  def outputs(self) -> dict[str, Any]:
    """The tensors `default` of all image signatures that have one."""
    return {
      name: self.output(name)
      for name in self.variant.image_signatures
      if self.variant.output(name)
    }

  def run(
    self,
    fetches: Any,
    images: np.ndarray,
    momentum: dict[str, float] | None = None,
  ) -> Any:
    """Runs with `images` as those of every signature.

    Args:
      fetches: what `Session.run` takes.
      images: float32, `[batch_size, height, width, 3]`.
      momentum: values by names of tensors, for the inputs of H1.
    """
    feeds = {self.images: images}
    for name in self.variant.image_signatures:
      inputs = self.variant.signatures[name].inputs
      if contract.IMAGES in inputs:
        feeds[self.tensor(inputs[contract.IMAGES].name)] = images
      if contract.BATCH_NORM_MOMENTUM in inputs:
        tensor = inputs[contract.BATCH_NORM_MOMENTUM].name
        if self.variant.graph.op(node_name(tensor)) in PLACEHOLDER_OPS:
          default = contract.DEFAULT_BATCH_NORM_MOMENTUM
          feeds[self.tensor(tensor)] = default
    for tensor, value in (momentum or {}).items():
      feeds[self.tensor(tensor)] = value
    return self._session.run(fetches, feeds)

  def values(self, names: Iterable[str]) -> dict[str, np.ndarray]:
    """The present values of the module's variables `names`."""
    variables = {}
    for variable in self.module.variables:
      own_name = node_name(variable.name).partition("/")[2]
      if own_name in names:
        variables[own_name] = variable
    return self._session.run(variables)
