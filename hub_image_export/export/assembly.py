# SPDX-License-Identifier: Apache-2.0
"""What all builders do: trace the source, assemble the module."""

from __future__ import annotations

from typing import Any

import numpy as np
from absl import logging

from hub_image_export import contract, progress
from hub_image_export.arguments import called
from hub_image_export.errors import reason
from hub_image_export.export import labels, reference, scores
from hub_image_export.export.order import Order
from hub_image_export.export.spec import ImageModuleSpec, make_spec
from hub_image_export.sources import as_source, preprocessing
from hub_image_export.sources.keras_models import warn_of_rescaling
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.runtime import run_eagerly
from hub_image_export.tracing.image_function import (
  ImageFunction,
  check_momentum_is_used,
  make_image_function,
)
from hub_image_export.tracing.interpreter import (
  full_collections_paused,
  with_room,
)
from hub_image_export.tracing.returned import Request
from hub_image_export.tracing.trace import Plan


@with_room
def build(fn: Any, order: Order) -> ImageModuleSpec:
  """Builds the module that is asked for of the source `fn`."""
  progress.tell("Tracing the model")
  with full_collections_paused():
    function = run_eagerly(lambda: _trace(fn, order))
    _check_tasks(function, order)
    _warn_of_bare_endpoints(function)
    run_eagerly(lambda: scores.warn_of_probabilities(function, order.interface))
    return make_spec(function, order.interface)


def _trace(fn: Any, order: Order) -> ImageFunction:
  warn_of_rescaling(fn, order.preprocess)
  plan = Plan(
    source=as_source(fn, order.height, order.width, order.tasks, order.output),
    request=Request(
      tasks=order.tasks,
      endpoints=order.endpoints,
      feature_layer=order.feature_layer,
      arch_name=order.arch_name,
    ),
    preprocess=preprocessing.resolve(order.preprocess),
    size=order.interface.static_size,
    momentum=order.batch_norm_momentum,
  )
  function = make_image_function(
    plan,
    training=order.training,
    drop_collections=order.drop_collections,
    allow_custom_gradients=order.allow_custom_gradients,
  )
  if order.batch_norm_momentum:
    check_momentum_is_used(function)
  if order.variable_size:
    _check_other_size(function, order)
  return function


def _check_other_size(function: ImageFunction, order: Order) -> None:
  """C3: what holds for the expected size has to hold for another one."""
  height, width = reference.another_size(order.interface)
  images = np.zeros([1, height, width, contract.NUM_CHANNELS], np.float32)
  try:
    reference.run(function.reference, images, order.interface)
  except tf.errors.OpError as error:
    raise ValueError(
      f"{called('variable_size', True)}, but {function.name} fails for images "
      f"of {height}x{width} pixels: {reason(error)}. Leave it out, or pool "
      "over height and width"
    ) from error


def _check_tasks(function: ImageFunction, order: Order) -> None:
  task = contract.IMAGE_CLASSIFICATION
  tasks = function.inference.tasks
  if order.default_task not in tasks:
    raise ValueError(
      f"default_task is {order.default_task!r}, but {function.name} returned "
      f"{sorted(tasks)}: expected it among them"
    )
  if task not in tasks:
    if order.num_classes is not None or order.labels:
      raise ValueError(
        f"{called('num_classes')} or {called('labels')} are given, but "
        f"{function.name} returned {sorted(tasks)}: expected {task!r}. Leave "
        "them out"
      )
    return
  width = function.widths[task]
  labels.check_width(order.labels, width)
  labels.warn_of_repetitions(order.labels)
  if order.num_classes not in (None, width):
    raise ValueError(
      f"{called('num_classes')} is {order.num_classes}, but {function.name} "
      f"gives {width} scores: expected that number"
      f"{labels.background_hint(order.num_classes, width)}"
    )


def _warn_of_bare_endpoints(function: ImageFunction) -> None:
  bare = [key for key in function.inference.endpoints if "/" not in key]
  if bare:
    logging.warning(
      "The endpoints %s have no architecture's name in front: consumers may "
      "confuse them with another network's. Give %s (C10)",
      bare,
      called("arch_name"),
    )
