# SPDX-License-Identifier: Apache-2.0
"""A Keras model, of any Keras, as a function on images."""

from __future__ import annotations

from typing import Any

import numpy as np
from absl import logging

from hub_image_export.arguments import called
from hub_image_export.errors import SourceError
from hub_image_export.sources import image_input
from hub_image_export.sources.source import Source
from hub_image_export.tensorflow_api import keras_packages, user_errors
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.types import KerasModel
from hub_image_export.weights.variable import handle_of

# A layer that multiplies by less takes pixels in [0, 255] (1/255, 1/127.5).
_SCALE_OF_BYTES = 0.1


def as_source(model: KerasModel, height: int, width: int) -> Source:
  """A model or layer; raises ValueError if it takes no such images."""
  name = f"Keras model {model.name!r}"
  if not keras_packages.runs_on_tensorflow(model):
    raise ValueError(
      f"{name} runs on another backend than TensorFlow: set KERAS_BACKEND="
      "tensorflow before importing keras, and load the model again"
    )
  shapes = [tuple(x.shape) for x in getattr(model, "inputs", None) or ()]
  if shapes:
    if len(shapes) > 1:
      raise ValueError(
        f"{name} has {len(shapes)} inputs: expected one, the images (C13). "
        "Wrap it in a function on images that supplies the others"
      )
    image_input.check(name, shapes[0], model.inputs[0].dtype, height, width)
  made: tuple[Any, ...] = ()
  if not model.built or not shapes:
    # Variables are made by the first call, which has to be an eager one.
    before = _handles(model)
    _call_once(name, model, height, width)
    made = tuple(v for k, v in _handles(model).items() if k not in before)
  wrong = [
    layer.name
    for layer in keras_packages.layers_within(model)
    if getattr(layer, "data_format", None) == "channels_first"
  ]
  if wrong:
    raise ValueError(
      f"{name} has channels_first layers ({', '.join(wrong[:5])}): expected "
      "channels_last throughout (C17). Build it again with data_format="
      "'channels_last' and the same weights, which do not depend on that"
    )
  return Source(
    name=name,
    call=model,
    training_parameter="training",
    output_names=tuple(getattr(model, "output_names", None) or ()),
    initial=made,
  )


def _handles(model: KerasModel) -> dict[int, Any]:
  """The resources behind its variables, by their identity."""
  try:
    handles = [handle_of(variable) for variable in model.weights]
  except ValueError:  # Keras 2 has no list before the first call.
    return {}
  return {id(handle): handle for handle in handles}


def _call_once(name: str, model: KerasModel, height: int, width: int) -> None:
  images = tf.zeros([1, height, width, 3])
  try:
    model(images, training=False)
  except Exception as error:  # Whatever the user's layers raise.
    raise SourceError(
      f"{name} raised when it was called on images {images.shape}: "
      f"{user_errors.raised(error)}"
    ) from error


def image_size(model: KerasModel) -> tuple[int | None, int | None]:
  """Height and width of a model's images, where one input can be these."""
  shapes = [tuple(x.shape) for x in getattr(model, "inputs", None) or ()]
  shapes = [shape for shape in shapes if len(shape) == 4]
  if len(shapes) == 1:
    return shapes[0][1], shapes[0][2]
  return None, None


def warn_of_rescaling(fn: Any, preprocess: Any) -> None:
  """Warns where a model's own rescaling does not fit `preprocess`.

  A model that rescales [0, 255] itself wants "0-255" and nothing else; one
  that rescales [0, 1] wants none.
  """
  if not keras_packages.is_model(fn):
    return
  first = fn.layers[:4]
  layer = next((x for x in first if type(x).__name__ == "Rescaling"), None)
  if layer is None:
    return
  takes_bytes = np.max(np.abs(layer.scale)) <= _SCALE_OF_BYTES
  wanted = "0-255" if takes_bytes else None
  if not isinstance(preprocess, (str, type(None))) or preprocess != wanted:
    logging.warning(
      "%s, and %r starts with the rescaling layer %r of scale %s: are pixels "
      "rescaled twice, or not enough? It seems to want %s",
      f"No {called('preprocess')} is given"
      if preprocess is None
      else f"{called('preprocess', preprocess)} is given",
      fn.name,
      layer.name,
      layer.scale,
      called("preprocess", wanted),
    )
