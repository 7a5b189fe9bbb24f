# SPDX-License-Identifier: Apache-2.0
"""Keras Applications as models to export, with their weights.

A classifier also has the features that `include_top=False, pooling="avg"`
gives; `feature_layer` finds them by the structure of its head.
"""

from __future__ import annotations

import difflib
import os
from typing import Any

from hub_image_export import contract, errors
from hub_image_export.arguments import (
  called,
  check_bool,
  check_choice,
  check_image_size,
  check_local_path,
  check_size,
  wrong_value,
)
from hub_image_export.sources.applications import Application
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.types import KerasModel
from hub_image_export.weights import keras_model as keras_weights

IMAGENET = "imagenet"
RANDOM = "random"
_WEIGHTS = f"a file of weights, {IMAGENET!r} or {RANDOM!r}"
TASKS = ("feature_vector", "classification", "all")

_IMAGENET_CLASSES = 1000


def build(
  application: Application,
  *,
  task: str,
  weights: str = IMAGENET,
  height: int | None = None,
  width: int | None = None,
  num_classes: int | None = None,
  variable_size: bool = False,
) -> tuple[KerasModel, str | None]:
  """Builds the Keras model that serves a task.

  Args:
    application: of `applications.get`.
    task: one of `TASKS`. For "feature_vector" the model ends with the pooled
      features, for the others with its classifier (and Keras' softmax).
    weights: "imagenet", "random", or the path of a file of weights.
    height, width: of the images, in pixels; the model's own if None.
    num_classes: of the classifier; 1000 if None.
    variable_size: whether the model's input leaves height and width open.

  Returns:
    The model and, for the task "all", the name of its feature layer.

  Raises:
    TypeError: an argument is of the wrong type.
    ValueError: an argument is wrong, or the architecture cannot be built like
      that.
    errors.WeightsError: the weights cannot be downloaded or read.
  """
  check_choice("task", task, TASKS)
  weights = check_local_path("weights", weights, _WEIGHTS)
  _check_weights(weights)
  check_bool("variable_size", variable_size)
  if num_classes is not None:
    num_classes = check_size("num_classes", num_classes)
  if tf.keras.backend.image_data_format() != "channels_last":
    raise ValueError(
      "Keras is set to channels_first images: expected channels_last (C17). "
      'Call tf.keras.backend.set_image_data_format("channels_last"), or set '
      "image_data_format in keras.json"
    )
  size = check_image_size(
    application.height if height is None else height,
    application.width if width is None else width,
  )
  if task == "feature_vector":
    shape = (None, None) if variable_size else size
    arguments = {"include_top": False, "pooling": "avg"}
    model = _with_weights(application, weights, shape, arguments)
  else:
    arguments = {
      "include_top": True,
      "classes": num_classes or _IMAGENET_CLASSES,
    }
    model = _with_weights(application, weights, size, arguments)
    if variable_size:
      model = _of_variable_size(application, model)
  return model, feature_layer(model) if task == "all" else None


def _check_weights(weights: str) -> None:
  """Raises ValueError where there are none: building takes its time."""
  words = (IMAGENET, RANDOM)
  if weights in words or any(map(os.path.exists, keras_weights.files(weights))):
    return
  near = difflib.get_close_matches(weights[:99], words, 1)
  hint = f". Did you mean {near[0]}?" if near else ""
  raise wrong_value("weights", weights, f"{_WEIGHTS}{hint}")


def feature_layer(model: KerasModel) -> str:
  """The layer of a classifier that yields the features of the whole image.

  It is what `include_top=False, pooling="avg"` ends with: the last global
  pooling, with the normalization that follows it in ConvNeXt, or the layer
  before the flattening (VGG), still to be averaged over space. The layers of
  a classifier's head are a chain, hence the last ones of `model.layers`.

  Raises:
    ValueError: the model has neither.
  """
  kinds = tf.keras.layers
  layers = model.layers
  pooling = _last(layers, kinds.GlobalAveragePooling2D)
  if pooling is not None:
    after = layers[pooling + 1]
    normalized = isinstance(after, kinds.LayerNormalization)
    return after.name if normalized else layers[pooling].name
  flattening = _last(layers, kinds.Flatten)
  if flattening is not None:
    return layers[flattening - 1].name
  raise ValueError(
    f"{model.name} has no layer that is known to yield features: expected "
    "global average pooling or a Flatten layer. Name the one that does with "
    f"{called('feature_layer')}"
  )


def _last(layers: list[Any], kind: type) -> int | None:
  """The position of the last layer of a kind."""
  found = [i for i, layer in enumerate(layers) if isinstance(layer, kind)]
  return found[-1] if found else None


def _with_weights(
  application: Application,
  weights: str,
  size: tuple[int | None, int | None],
  arguments: dict[str, Any],
) -> KerasModel:
  own_size = (application.height, application.width)
  if weights != IMAGENET:
    model = _call_builder(application, None, size, arguments)
    if weights != RANDOM:
      keras_weights.load(model, weights)
      keras_weights.undo_missing_rescaling(model)
    return model
  if not arguments["include_top"] or size == own_size:
    return _call_builder(application, IMAGENET, size, arguments)
  # Keras gives the published classifiers at their own size only.
  model = _call_builder(application, None, size, arguments)
  published = _call_builder(application, IMAGENET, own_size, arguments)
  try:
    model.set_weights(published.get_weights())
  except ValueError as error:
    raise ValueError(
      f"{called('height')} and {called('width')} are {size[0]} and {size[1]}: "
      f"expected {own_size[0]} and {own_size[1]}, the only size that the "
      f"published classifier {application.name} is for. Leave them out"
    ) from error
  keras_weights.undo_missing_rescaling(model)
  return model


def _call_builder(
  application: Application,
  weights: str | None,
  size: tuple[int | None, int | None],
  arguments: dict[str, Any],
) -> KerasModel:
  try:
    return application.builder(
      weights=weights,
      input_shape=(*size, contract.NUM_CHANNELS),
      **arguments,
    )
  except ValueError as error:
    raise ValueError(
      f"{application.name} cannot be built for images of {size[0]}x{size[1]} "
      f"pixels ({errors.first_line(error)}): expected a size like its own, "
      f"{application.height}x{application.width}"
    ) from error
  except Exception as error:  # Keras' download raises a plain Exception.
    if weights is None:
      raise
    raise errors.WeightsError(
      f"the ImageNet weights of {application.name} cannot be downloaded "
      f"({errors.first_line(error)}): expected a network. Without one, give a "
      "file of weights (--weights=FILE), or try it with --weights=random"
    ) from error


def _of_variable_size(
  application: Application, model: KerasModel
) -> KerasModel:
  """The same classifier for images of any size, if it pools."""
  images = tf.keras.Input((None, None, contract.NUM_CHANNELS))
  try:
    copy = tf.keras.models.clone_model(model, input_tensors=images)
  except ValueError as error:
    raise ValueError(
      f"{called('variable_size', True)}, but the classifier "
      f"{application.name} takes one size ({errors.first_line(error)}): "
      "expected a network that pools. Leave it out, or export the features"
    ) from error
  copy.set_weights(model.get_weights())
  return copy
