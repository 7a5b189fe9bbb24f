"""What a user may have, turned into one function on images.

A Keras model, a TF1 graph function, a `tf.Module`, a closure, a SavedModel:
all become a `Source`, and nothing downstream knows which it was.
"""

from __future__ import annotations

import dataclasses
import inspect
import os
from collections.abc import Callable
from typing import Any

from absl import logging

from hub_image_export import arguments
from hub_image_export.errors import SourceError
from hub_image_export.tensorflow_api import keras_packages
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.untrusted import saved_models as saved_model_code

_TRAINING_PARAMETERS = ("is_training", "training")
_SERVING_SIGNATURE = "serving_default"


@dataclasses.dataclass(frozen=True)
class Source:
  """One function on images, and what it can be asked for.

  Attributes:
    name: what to call it in messages.
    call: `call(images, **options)`; what it returns is up to the user.
    training_parameter: the option that tells training from inference, if any.
    takes_momentum: whether there is an option `batch_norm_momentum` (H1).
    penalties: gives weight penalties that `call` does not leave elsewhere.
  """

  name: str
  call: Callable[..., Any]
  training_parameter: str | None = None
  takes_momentum: bool = False
  penalties: Callable[[], list[Any]] = list


def as_source(fn: Any, height: int, width: int) -> Source:
  """Returns the `Source` of whatever the user handed to a builder.

  Args:
    fn: a Keras model or layer, a function or other callable, a loaded
      SavedModel, or the path of one.
    height: of the images, in pixels.
    width: likewise.

  Raises:
    TypeError: `fn` is nothing of the kind.
    ValueError: it cannot take batches of such images, or is no SavedModel.
    SourceError: a SavedModel cannot be loaded.
  """
  if isinstance(fn, (str, os.PathLike)):
    fn = _load_saved_model(
      arguments.check_local_path("fn", fn, "a SavedModel, or a model itself")
    )
  if inspect.isclass(fn):
    raise TypeError(
      f"fn is the class {fn.__name__}: expected an instance of it, or a "
      "function on images"
    )
  if keras_packages.is_layer(fn):
    return _keras_source(fn, height, width)
  if hasattr(fn, "signatures") and not isinstance(fn, tf.Module):
    return _saved_model_source(fn, height, width)
  if callable(fn):
    return _callable_source(fn)
  raise TypeError(
    f"fn is {type(fn).__name__} ({arguments.shown(fn)}): expected a Keras "
    "model, a function on images, or a SavedModel"
  )


def _callable_source(fn: Callable[..., Any]) -> Source:
  name = getattr(fn, "__name__", None) or type(fn).__name__
  try:
    parameters = inspect.signature(fn).parameters
  except (TypeError, ValueError):
    parameters = {}
  training = [p for p in _TRAINING_PARAMETERS if p in parameters]
  return Source(
    name=f"function {name!r}",
    call=fn,
    training_parameter=training[0] if training else None,
    takes_momentum="batch_norm_momentum" in parameters,
    penalties=_regularization_losses(fn),
  )


def _keras_source(model: Any, height: int, width: int) -> Source:
  name = f"Keras model {model.name!r}"
  _check_keras_backend(model)
  shapes = [tuple(x.shape) for x in getattr(model, "inputs", None) or ()]
  if shapes:
    _check_keras_inputs(name, shapes, height, width)
    _check_keras_input_type(name, model.inputs[0].dtype)
  if not model.built or not shapes:
    # Variables are made by the first call, which has to be an eager one.
    model(tf.zeros([1, height, width, 3]), training=False)
  _check_channels_last(model, name)
  return Source(name=name, call=model, training_parameter="training")


def _check_keras_backend(model: Any) -> None:
  if keras_packages.runs_on_tensorflow(model):
    return
  raise ValueError(
    f"Keras model {model.name!r} runs on another backend than TensorFlow: set "
    "KERAS_BACKEND=tensorflow before importing keras, and load the model again"
  )


def _check_keras_inputs(
  name: str, shapes: list[tuple], height: int, width: int
) -> None:
  if len(shapes) > 1:
    raise ValueError(
      f"{name} has {len(shapes)} inputs: expected one, the images (C13). Wrap "
      "it in a function on images that supplies the others"
    )
  (shape,) = shapes
  if len(shape) != 4:
    raise ValueError(
      f"{name} takes inputs of shape {shape}: expected "
      f"[batch_size, {height}, {width}, 3] (C12)"
    )
  if shape[1] == 3 and shape[3] not in (3, None):
    raise ValueError(
      f"{name} takes inputs of shape {shape}, which is channels_first: "
      "expected channels_last (C17). Build it with "
      "data_format='channels_last'"
    )
  if shape[3] not in (3, None):
    raise ValueError(
      f"{name} takes images of {shape[3]} channels: expected 3, RGB (C12). "
      "Wrap it in a function that converts, say with tf.image.rgb_to_grayscale"
    )
  wanted = (height, width)
  if any(a not in (None, b) for a, b in zip(shape[1:3], wanted)):
    raise ValueError(
      f"{name} takes images of {shape[1]}x{shape[2]} pixels: got height="
      f"{height}, width={width}. Pass the model's own size, or build the model "
      "for the size that you want"
    )
  if shape[0] is not None:
    raise ValueError(
      f"{name} has a fixed batch size of {shape[0]}: expected any (C14). "
      "Build it without batch_size"
    )


def _check_keras_input_type(name: str, dtype: Any) -> None:
  """Keras casts silently, and pixels in [0, 1] are 0 as integers."""
  dtype = tf.as_dtype(dtype)
  if not dtype.is_floating:
    raise ValueError(
      f"{name} takes {dtype.name} images: expected float32, RGB in [0, 1] "
      "(C12). Wrap it in a function that converts, say with "
      f"tf.image.convert_image_dtype(images, tf.{dtype.name})"
    )


def _check_channels_last(model: Any, name: str) -> None:
  wrong = [
    layer.name
    for layer in keras_packages.layers_within(model)
    if getattr(layer, "data_format", None) == "channels_first"
  ]
  if wrong:
    raise ValueError(
      f"{name} has channels_first layers ({', '.join(wrong[:5])}): expected "
      "channels_last throughout (C17)"
    )


def _load_saved_model(path: str) -> Any:
  if not tf.saved_model.contains_saved_model(path):
    raise arguments.wrong_value(
      "fn", path, "the directory of a SavedModel, with a saved_model.pb"
    )
  saved_model_code.refuse_reaching_out(path)
  logging.info("Loading the SavedModel in %s", path)
  try:
    return tf.saved_model.load(path)
  except Exception as error:  # Whatever TensorFlow's readers raise.
    raise SourceError(
      f"fn is {arguments.shown(path)}, a SavedModel that cannot be loaded: "
      f"{type(error).__name__}: {error!s:.300}. Is it whole? Save it again"
    ) from error


def _saved_model_source(loaded: Any, height: int, width: int) -> Source:
  if not callable(loaded):
    return _serving_source(loaded)
  accepts = [
    parameter
    for parameter in ("training", "is_training")
    if _accepts(loaded, height, width, **{parameter: True})
    and _accepts(loaded, height, width, **{parameter: False})
  ]
  return Source(
    name="SavedModel",
    call=loaded,
    training_parameter=accepts[0] if accepts else None,
    penalties=_regularization_losses(loaded),
  )


def _accepts(loaded: Any, height: int, width: int, **options: bool) -> bool:
  """Whether a function restored without its signature takes `options`."""
  images = tf.TensorSpec([None, height, width, 3], tf.float32)
  try:
    tf.compat.v1.wrap_function(lambda x: loaded(x, **options), [images])
  except (TypeError, ValueError):
    return False
  return True


def _serving_source(loaded: Any) -> Source:
  """The serving signature, where a SavedModel has no `__call__`."""
  signatures = dict(loaded.signatures)
  serve = signatures.get(_SERVING_SIGNATURE) or (
    next(iter(signatures.values())) if len(signatures) == 1 else None
  )
  if serve is None:
    raise ValueError(
      "the SavedModel cannot be called, and its signatures are "
      f"{sorted(signatures)}: expected {_SERVING_SIGNATURE!r} among them. "
      "Wrap the one that you want in a function on images"
    )
  inputs = list(serve.structured_input_signature[1])
  if len(inputs) != 1:
    raise ValueError(
      f"the SavedModel's serving signature has the inputs {inputs}: expected "
      "one, the images (C13). Wrap it in a function that supplies the others"
    )

  def call(images, _owner_of_the_variables=loaded):
    outputs = serve(**{inputs[0]: images})
    return next(iter(outputs.values())) if len(outputs) == 1 else outputs

  logging.info(
    "The SavedModel has no __call__: its serving signature is used, which "
    "gives no training variant"
  )
  return Source(name="SavedModel (serving signature)", call=call)


def _regularization_losses(obj: Any) -> Callable[[], list[Any]]:
  """Penalties of a reusable SavedModel: functions of no argument."""
  losses = getattr(obj, "regularization_losses", None) or ()
  return lambda: [loss() for loss in losses if callable(loss)]
