"""What all builders do: check the arguments, trace, assemble the module."""

from __future__ import annotations

from typing import Any

import numpy as np
from absl import logging

from hub_image_export import arguments, contract, progress
from hub_image_export.errors import reason
from hub_image_export.export import labels as labels_lib, reference
from hub_image_export.export.module_graph import Interface
from hub_image_export.export.options import Options
from hub_image_export.export.spec import ImageModuleSpec, make_spec
from hub_image_export.sources import preprocessing
from hub_image_export.sources.hub_module import ModuleFunction
from hub_image_export.sources.source import Source, as_source
from hub_image_export.tensorflow_api import keras_packages
from hub_image_export.tensorflow_api.compat import hub, tf
from hub_image_export.tensorflow_api.runtime import run_eagerly
from hub_image_export.tracing.garbage import full_collections_paused
from hub_image_export.tracing.image_function import (
  ImageFunction,
  check_momentum_is_used,
  make_image_function,
)
from hub_image_export.tracing.interpreter import with_room
from hub_image_export.tracing.returned import Request
from hub_image_export.tracing.trace import Plan

# A layer that multiplies by less takes pixels in [0, 255] (1/255, 1/127.5).
_SCALE_OF_BYTES = 0.1


@with_room
def build(
  fn: Any,
  height: int,
  width: int,
  *,
  tasks: tuple[str, ...] | None,
  default_task: str,
  options: Options,
  feature_layer: str | None = None,
  num_classes: int | None = None,
  labels: Any = None,
) -> ImageModuleSpec:
  """Builds a module; the arguments are those of the builders.

  Args:
    tasks: the tasks that `fn` computes; None where it returns them by name.
  """
  height, width = arguments.check_image_size(height, width)
  options.check()
  arguments.check_choice("default_task", default_task, contract.TASKS)
  if feature_layer is not None:
    arguments.check_name(
      "feature_layer", feature_layer, "the name of a Keras layer"
    )
  if num_classes is not None:
    num_classes = arguments.check_size("num_classes", num_classes)
  classes = labels_lib.resolve(labels)
  interface = Interface(
    default_task=default_task,
    height=height,
    width=width,
    variable_size=options.variable_size,
    bn_hparams=options.batch_norm_momentum,
    labels=classes,
    preprocessing=preprocessing.describe(options.preprocess),
  )
  request = Request(
    tasks=tasks,
    endpoints=arguments.check_strings("endpoints", options.endpoints or ()),
    feature_layer=feature_layer,
    arch_name=options.arch_name,
  )
  progress.tell("Tracing the model")
  with full_collections_paused():
    function = run_eagerly(lambda: _trace(fn, interface, request, options))
    _check_widths(function, interface, num_classes)
    _warn_of_bare_endpoints(function)
    return make_spec(function, interface)


def _trace(
  fn: Any, interface: Interface, request: Request, options: Options
) -> ImageFunction:
  preprocess = preprocessing.resolve(options.preprocess)
  _warn_of_rescaling(fn, options.preprocess)
  size = (interface.height, interface.width)
  plan = Plan(
    source=_source(fn, size, request),
    request=request,
    preprocess=preprocess,
    size=(None, None) if interface.variable_size else size,
    momentum=interface.bn_hparams,
  )
  function = make_image_function(
    plan,
    training=options.training,
    drop_collections=tuple(options.drop_collections),
    allow_custom_gradients=options.allow_custom_gradients,
  )
  if interface.bn_hparams:
    check_momentum_is_used(function)
  if interface.variable_size:
    _check_other_size(function, interface)
  return function


def _source(fn: Any, size: tuple[int, int], request: Request) -> Source:
  if isinstance(fn, hub.ModuleSpec):
    fn = ModuleFunction(fn, tasks=request.tasks)
  if isinstance(fn, ModuleFunction):
    return fn.as_source()
  return as_source(fn, *size)


def _check_other_size(function: ImageFunction, interface: Interface) -> None:
  """C3: what holds for the expected size has to hold for another one."""
  height, width = reference.another_size(interface)
  images = np.zeros([1, height, width, contract.NUM_CHANNELS], np.float32)
  try:
    reference.run(function.reference, images, interface)
  except tf.errors.OpError as error:
    raise ValueError(
      f"variable_size=True, but {function.name} fails for images of "
      f"{height}x{width} pixels: {reason(error)}. Leave "
      "variable_size out, or pool over height and width"
    ) from error


def _check_widths(
  function: ImageFunction, interface: Interface, num_classes: int | None
) -> None:
  task = contract.IMAGE_CLASSIFICATION
  tasks = function.inference.tasks
  if interface.default_task not in tasks:
    raise ValueError(
      f"default_task is {interface.default_task!r}, but fn returned "
      f"{sorted(tasks)}: expected it among them"
    )
  if task not in tasks:
    if num_classes is not None or interface.labels:
      raise ValueError(
        f"num_classes or labels are given, but fn returned no {task!r}"
      )
    return
  width = function.widths[task]
  labels_lib.check_width(interface.labels, width)
  if num_classes not in (None, width):
    raise ValueError(
      f"num_classes is {num_classes}, but {function.name} gives {width} scores"
      + labels_lib.background_hint(num_classes, width)
    )


def _warn_of_bare_endpoints(function: ImageFunction) -> None:
  bare = [key for key in function.inference.endpoints if "/" not in key]
  if bare:
    logging.warning(
      "The endpoints %s have no architecture's name in front: consumers may "
      "confuse them with another network's. Give arch_name (C10)",
      bare,
    )


def _warn_of_rescaling(fn: Any, preprocess: Any) -> None:
  """Warns where a model's own rescaling does not fit `preprocess`.

  A model that rescales [0, 255] itself wants "0-255" and nothing else; one
  that rescales [0, 1] wants none.
  """
  if not keras_packages.is_model(fn):
    return
  for layer in fn.layers[:4]:
    if type(layer).__name__ != "Rescaling":
      continue
    takes_bytes = np.max(np.abs(layer.scale)) <= _SCALE_OF_BYTES
    wanted = "0-255" if takes_bytes else None
    if not (isinstance(preprocess, (str, type(None))) and preprocess == wanted):
      logging.warning(
        "preprocess=%r is given, and %r starts with the rescaling layer %r of "
        "scale %s: are pixels rescaled twice, or not enough? It seems to want "
        "preprocess=%r",
        preprocess,
        fn.name,
        layer.name,
        layer.scale,
        wanted,
      )
    return
