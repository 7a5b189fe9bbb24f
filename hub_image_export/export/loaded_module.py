# SPDX-License-Identifier: Apache-2.0
"""A module on disk, loaded to be compared with its source."""

from __future__ import annotations

import uuid
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from hub_image_export import contract
from hub_image_export.export import fixed_draws
from hub_image_export.export.interface import Interface
from hub_image_export.export.saver_nodes import add_saver
from hub_image_export.export.step import Objective, Step
from hub_image_export.graph import inline
from hub_image_export.serving.loaded_module import (
  LoadedModule,
  loaded,
  session_of,
)
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import MetaGraphDef
from hub_image_export.tensorflow_api.runtime import quiet
from hub_image_export.tracing.image_function import ImageFunction
from hub_image_export.untrusted import saved_models
from hub_image_export.weights import checkpoint_writer


def inference(
  path: str, function: ImageFunction, interface: Interface
) -> AbstractContextManager[LoadedModule]:
  """The inference variant, as a consumer loads it."""
  return loaded(path, function.inference.tasks, interface.image_shape)


def training_step(
  path: str,
  function: ImageFunction,
  images: np.ndarray,
  objective: Objective | None = None,
) -> Step:
  """Runs one step of the training variant, with all draws fixed.

  The variant's graph is run as it stands in the module, once: what `hub.
  Module` would make of it has all nodes twice.

  Args:
    path: the module's directory.
    function: of which it was made.
    images: for the step.
    objective: of the outputs, whose gradients are wanted, if any are.

  Returns:
    Its values are those of the variables that UPDATE_OPS assigns; where the
    momentum that is an input replaced a decay of the source, with that one.
  """
  meta_graph = _to_be_run(path, function)
  graph = tf.Graph()
  with quiet(), graph.as_default():
    saver = tf.compat.v1.train.import_meta_graph(meta_graph)
    outputs = _outputs(meta_graph, function, graph)
    updates = graph.get_collection(contract.UPDATE_OPS)
    penalties = graph.get_collection(contract.REGULARIZATION_LOSSES)
    variables = {v.op.name: v for v in graph.get_collection("variables")}
    trainable = graph.get_collection(contract.TRAINABLE_VARIABLES)
    gradients = (
      tf.compat.v1.gradients(objective(outputs), trainable) if objective else []
    )
    found = {
      variable.op.name: tf.convert_to_tensor(gradient)
      for variable, gradient in zip(trainable, gradients)
      if gradient is not None
    }

  def restore(session: Any) -> None:
    if function.variables:
      saver.restore(session, checkpoint_writer.variables_prefix(path))

  given = graph.get_tensor_by_name(f"{contract.IMAGES}:0")
  assigned = {op.inputs[0].op.name for op in updates if op.inputs}
  read = {name: variables[name] for name in sorted(assigned & variables.keys())}
  with quiet(), graph.as_default(), session_of(graph) as session:
    restore(session)
    results = session.run((outputs, penalties, found, updates), {given: images})
    values = session.run(read)
    decays = function.variants[-1].decays
    for decay in sorted(set(decays.values())):  # The source has them fixed.
      restore(session)
      momentum = graph.get_tensor_by_name(f"{contract.BATCH_NORM_MOMENTUM}:0")
      session.run(updates, {given: images, momentum: decay})
      after = session.run(read)
      values.update({k: after[k] for k, d in decays.items() if d == decay})
    return Step(
      outputs=results[0],
      values=values,
      penalties=float(sum(results[1])),
      gradients=results[2],
    )


def _to_be_run(path: str, function: ImageFunction) -> MetaGraphDef:
  """The training variant with fixed draws, and a saver where it has state."""
  meta_graph = saved_models.meta_graph(path, contract.TRAIN_TAGS)
  fixed_draws.fix(meta_graph.graph_def)
  # TensorFlow keeps gradients of loops for the process, by the loops' names:
  # those of consumers would be refused here.
  unique = str(uuid.uuid4())
  graph_def = inline.name_by_content(meta_graph.graph_def, unique)
  meta_graph.graph_def.CopyFrom(graph_def)
  if function.variables:
    add_saver(meta_graph, f"save_{unique}", function.variables)
  return meta_graph


def _outputs(
  meta_graph: MetaGraphDef, function: ImageFunction, graph: Any
) -> dict[str, Any]:
  """Tensors by task and key."""
  return {
    f"{task}/{key}": graph.get_tensor_by_name(info.name)
    for task in function.variants[-1].tasks
    for key, info in meta_graph.signature_def[task].outputs.items()
  }
