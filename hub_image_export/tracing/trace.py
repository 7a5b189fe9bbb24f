# SPDX-License-Identifier: Apache-2.0
"""From a source to a traced graph, one for each variant.

`tf.compat.v1.wrap_function` is the one mechanism for all sources: variables
come out as captures with their values, collections stay in the graph, and the
outputs carry no automatic control dependencies, which F4 asks for.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

from hub_image_export import arguments, contract
from hub_image_export.errors import SourceError
from hub_image_export.sources.meta_graphs import Imports
from hub_image_export.sources.source import Source
from hub_image_export.tensorflow_api import keras_packages, private, user_errors
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import GraphDef
from hub_image_export.tracing.layer_calls import LayerCalls, observe
from hub_image_export.tracing.momentum import momentum_as
from hub_image_export.tracing.returned import Request
from hub_image_export.tracing.source_call import (
  call_source,
  converted,
  record_variables,
  users_code,
  values_from_files,
)


@dataclasses.dataclass(frozen=True)
class Plan:
  """What is traced: the source, its images, and what is asked of it.

  Attributes:
    preprocess: from [0, 1] RGB to what the network wants, or None.
    size: static height and width; (None, None) for variable sizes (C15).
    momentum: whether batch norm momentum is an input (H1).
    layer_names: those that Keras had given before. Layers that the source
      makes get the same names, and so the same variables, in each call of it.
  """

  source: Source
  request: Request
  preprocess: Callable[[Any], Any] | None
  size: tuple[int | None, int | None]
  momentum: bool = False
  layer_names: dict[str, int] = dataclasses.field(
    default_factory=keras_packages.layer_names
  )


@dataclasses.dataclass(frozen=True)
class Trace:
  """A variant as it was traced.

  Attributes:
    wrapped: the traced function, callable on eager images.
    tasks: name of the output tensor by task.
    endpoints: name of the output tensor by key.
    penalties: names of the tensors that are weight penalties, by where they
      are from: the collection, each Keras layer, a SavedModel.
    layers: the Keras layers that took part.
    made: names of the variables that the function itself made.
    imports: what it has from checkpoints and meta graphs.
  """

  wrapped: Any
  tasks: dict[str, str]
  endpoints: dict[str, str]
  penalties: list[list[str]]
  layers: LayerCalls
  made: frozenset[str]
  imports: Imports

  @functools.cached_property
  def graph_def(self) -> GraphDef:
    """What was traced, with static shapes; nobody may change it."""
    return self.wrapped.graph.as_graph_def(add_shapes=True)

  @property
  def all_penalties(self) -> list[str]:
    return [name for origin in self.penalties for name in origin]

  @property
  def update_ops(self) -> list[str]:
    """Names of the ops that the function put into UPDATE_OPS."""
    collected = self.wrapped.graph.get_collection(contract.UPDATE_OPS)
    entries = tf.nest.flatten(collected)  # As a session takes them.
    # Ops, tensors, and what assignments return, which is neither.
    return [getattr(entry, "op", entry).name for entry in entries]

  @property
  def collections(self) -> list[str]:
    """Names of the collections that the function put something into."""
    graph = self.wrapped.graph
    return sorted(
      key
      for key in graph.get_all_collection_keys()
      if isinstance(key, str) and graph.get_collection(key)
    )


def trace(plan: Plan, training: bool) -> Trace:
  """Traces one variant.

  Raises:
    SourceError: the user's function raised.
    TypeError, ValueError: what it returned breaks the contract.
  """
  return converted(lambda convert: _trace(plan, training, convert))


def _trace(plan: Plan, training: bool, convert) -> Trace:
  recorded: list[Computed] = []
  made: set[str] = set()
  imports = Imports()

  def image_function(images, *hparams):
    private.hide_wrap_function(tf.compat.v1.get_default_graph())
    with record_variables(made), values_from_files(made, imports):
      recorded.append(compute(plan, images, hparams, training, convert))
    return recorded[-1].tensors

  specs = [tf.TensorSpec([None, *plan.size, 3], tf.float32, contract.IMAGES)]
  if plan.momentum:
    specs.append(tf.TensorSpec([], tf.float32, contract.BATCH_NORM_MOMENTUM))
  wrapped = tf.compat.v1.wrap_function(image_function, specs)
  names = tf.nest.map_structure(
    lambda tensor: tensor.name, wrapped.structured_outputs
  )
  return Trace(
    wrapped=wrapped,
    layers=recorded[-1].layers,
    made=frozenset(made),
    imports=imports,
    **names,
  )


@dataclasses.dataclass(frozen=True)
class Computed:
  """What a source gives for images.

  Attributes:
    tensors: "tasks" and "endpoints" by key, and lists of "penalties" by origin.
    layers: the Keras layers that took part.
  """

  tensors: dict[str, Any]
  layers: LayerCalls


def compute(
  plan: Plan,
  images: Any,
  hparams: Sequence[Any],
  training: bool,
  convert: Callable[[Any], Any] = lambda call: call,
) -> Computed:
  """Calls the source once, in the current graph or eagerly.

  Args:
    plan: the source, and what is asked of it.
    images: float32 `[batch_size, height, width, 3]` in [0, 1] (C12).
    hparams: the momentum, if the plan has one (H1).
    training: whether as for training.
    convert: what autograph does to the call, if it has to.

  Raises:
    SourceError: the user's function raised.
    TypeError, ValueError: what it returned breaks the contract.
  """
  momentum = contract.BATCH_NORM_MOMENTUM
  options = dict(zip([momentum], hparams))
  with contextlib.ExitStack() as stack:
    stack.enter_context(keras_packages.layer_names_from(plan.layer_names))
    pixels = _preprocessed(images, plan.preprocess)
    hook = None
    if options and training:
      hook = stack.enter_context(momentum_as(options[momentum]))
    layers = stack.enter_context(observe(hook))
    stack.enter_context(private.variables_tell_their_ops())
    returned = call_source(
      plan.source, pixels, training, options, convert, layers
    )
    results = plan.request.interpret(
      plan.source.wanted(returned), layers, plan.source.name
    )
    penalties = _penalties(plan.source, layers)
  tensors = {
    "tasks": _named(results.tasks),
    "endpoints": _named(results.endpoints),
    "penalties": [
      [tf.identity(tf.cast(loss, tf.float32)) for loss in origin]
      for origin in penalties
    ],
  }
  return Computed(tensors, layers)


def _preprocessed(images: Any, preprocess: Any) -> Any:
  """What the network gets of the pixels in [0, 1] (C12)."""
  if preprocess is None:
    return images
  try:
    with users_code():
      pixels = preprocess(images)
  except Exception as error:
    raise SourceError(
      f"the function given as preprocess raised: {user_errors.raised(error)}"
    ) from error
  if not tf.is_tensor(pixels):
    raise TypeError(
      f"the function given as preprocess returned {arguments.shown(pixels)}: "
      "expected the tensor of images that the network takes"
    )
  return pixels


def _named(tensors: dict[str, Any]) -> dict[str, Any]:
  """A node of its own for each output, whatever it shares with others."""
  return {key: tf.identity(tensor) for key, tensor in tensors.items()}


def _penalties(source: Source, layers: LayerCalls) -> list[list[Any]]:
  """Weight penalties of Keras layers, TF1 collections and SavedModels (F4)."""
  collected = tf.compat.v1.get_collection(contract.REGULARIZATION_LOSSES)
  origins = [collected, *(layer.losses for layer in layers.roots)]
  return [list(origin) for origin in [*origins, source.penalties()]]
