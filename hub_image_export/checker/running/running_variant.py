# SPDX-License-Identifier: Apache-2.0
"""A variant of a module, loaded as a consumer does, ready to run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from hub_image_export import contract
from hub_image_export.checker.judged import JudgedSignature, JudgedVariant
from hub_image_export.tensorflow_api import private_hub
from hub_image_export.tensorflow_api.compat import hub, tf
from hub_image_export.untrusted.graph import PLACEHOLDER_OPS, node_name


def plain_signature(variant: JudgedVariant) -> JudgedSignature | None:
  """The first image signature that takes `images` and nothing else."""
  for signature in variant.image_signatures:
    if signature.inputs.keys() == {contract.IMAGES}:
      return signature
  return None


class RunningVariant:
  """One hub.Module, applied once, in a graph and a session of its own.

  Applying one signature imports the whole graph. The others' tensors are
  taken from there by name, which spares an import (seconds, for a large
  module) for each.

  Attributes:
    variant: what is running.
    images: the placeholder of its images.
    update_ops: the operations in UPDATE_OPS.
    trainable: the variables in TRAINABLE_VARIABLES.
  """

  def __init__(self, spec: Any, applied: JudgedSignature):
    """Builds the graph.

    Args:
      spec: the module, as `hub.load_module_spec` gives it.
      applied: the `plain_signature` of the variant.
    """
    self.variant = variant = applied.variant
    self._applied, signature = applied, applied.name
    self._images_name = applied.inputs[contract.IMAGES].name
    self._graph = tf.Graph()
    with self._graph.as_default():
      self._module = hub.Module(spec, trainable=True, tags=variant.tags)
      infos = spec.get_input_info_dict(signature, variant.tags)
      shape = infos[contract.IMAGES].get_shape()
      self.images = tf.compat.v1.placeholder(tf.float32, shape)
      images = {contract.IMAGES: self.images}
      self._outputs = self._module(images, signature=signature, as_dict=True)
      self.update_ops = list(tf.compat.v1.get_collection(contract.UPDATE_OPS))
      self.trainable = tf.compat.v1.trainable_variables()
      self._init = [
        tf.compat.v1.variables_initializer(self._module.variables),
        tf.compat.v1.tables_initializer(),
      ]
    self._scope = private_hub.apply_scope(self._graph, signature)
    config = tf.compat.v1.ConfigProto(allow_soft_placement=True)
    self._session = tf.compat.v1.Session(graph=self._graph, config=config)

  def __enter__(self) -> RunningVariant:
    self._session.run(self._init)
    return self

  def __exit__(self, *unused_exception: object) -> None:
    self._session.close()

  def tensor(self, name: str) -> Any:
    """The tensor of the module's own graph that is called `name`."""
    if name == self._images_name:
      return self.images
    return self._graph.get_tensor_by_name(self._scope + name)

  def outputs(self) -> dict[str, Any]:
    """The tensors `default` of all image signatures that have one."""
    found = {}
    for signature in self.variant.image_signatures:
      if signature is self._applied:
        found[signature.name] = self._outputs[contract.DEFAULT_OUTPUT]
      elif signature.tensor:
        found[signature.name] = self.tensor(signature.tensor)
    return found

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
    for tensor, value in (momentum or {}).items():
      feeds[self.tensor(tensor)] = value
    return self._session.run(fetches, feeds)

  def values(self, names: Iterable[str]) -> dict[str, np.ndarray]:
    """The present values of the module's variables `names`."""
    variables = {node_name(own_name(v)): v for v in self._module.variables}
    return self._session.run({n: v for n, v in variables.items() if n in names})

  def gradients(self) -> list[Any]:
    """Builds those of all outputs by the trainable variables.

    Gradients of loops change ops that a session may have run already: nothing
    can be run after this.
    """
    outputs = {tensor.name: tensor for tensor in self.outputs().values()}
    with self._graph.as_default():
      return tf.gradients(list(outputs.values()), self.trainable)


def own_name(variable: Any) -> str:
  """The name of a loaded variable's tensor in the module."""
  return variable.name.partition("/")[2]
