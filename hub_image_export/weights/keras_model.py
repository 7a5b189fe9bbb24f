# SPDX-License-Identifier: Apache-2.0
"""Keras files of weights, read by the model that they belong to.

Keras matches values and variables by the order of layers, or by numbers within
a layer: only with the model can its files be understood. All variables get
values, or there is an error: Keras' own `load_weights` passes over layers that
it does not find in some formats, and leaves their random values in place.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable

import numpy as np

from hub_image_export import errors
from hub_image_export.tensorflow_api import keras_packages
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.types import KerasModel, Layer
from hub_image_export.weights.names import NameRules
from hub_image_export.weights.readers import (
  NamedValues,
  keras_files,
  open_values,
)
from hub_image_export.weights.variable import Variable, handle_of

_NAMES_SHOWN = 3

# In the published EfficientNet weights, the variance of the `Normalization`
# layer holds ImageNet's standard deviations. Keras makes up for it with a
# second rescaling layer, but only for weights="imagenet".
# https://github.com/tensorflow/tensorflow/issues/49930
_IMAGENET_STD = (0.229, 0.224, 0.225)


def load(model: KerasModel, path: str) -> None:
  """Gives `model` the values of the file that `save_weights` wrote.

  Args:
    model: a built Keras model.
    path: a file of `model.save_weights` (`.weights.h5`, `.h5`, on Keras 2 also
      a checkpoint's prefix), or one of `model.save`.

  Raises:
    errors.WeightsError: there is no such file, it cannot be read, it is of
      another architecture, or it lacks the values of a variable.
  """
  if not any(map(os.path.exists, files(path))):
    raise errors.WeightsError(
      f"{path!r} is no file: expected weights that Keras saved"
    )
  keras_files.refuse_foreign_data(path)
  _forget_values(model)
  try:
    with warnings.catch_warnings():
      # What the warnings say of skipped layers, _require_values says clearly.
      warnings.simplefilter("ignore")
      model.load_weights(path)
  except Exception as error:  # Keras raises whatever its readers raise.
    raise errors.WeightsError(
      f"the weights in {path!r} do not fit {model.name} "
      f"({errors.first_line(error)}): expected those of the same architecture, "
      "with the same number of classes, and with its classifier just where "
      "that is exported"
    ) from error
  _require_values(model, path)


def files(path: str) -> tuple[str, str]:
  """What may be there of weights: one file, or the index of a checkpoint."""
  return path, path + ".index"


def open_for(
  layers: tuple[Layer, ...],
  variables: Iterable[Variable],
  path: str | os.PathLike[str],
  rules: NameRules,
) -> NamedValues:
  """Opens a checkpoint; Keras files by their model, unless `rules` name them.

  Args:
    layers: the outermost Keras layers of the module's source.
    variables: of the module.
    path: of the checkpoint.
    rules: for the names in it.
  """
  values = open_values(path)
  if values.kind != keras_files.KIND or len(layers) != 1 or rules:
    return values
  if not keras_packages.is_model(layers[0]):
    return values
  return _read(layers[0], values.path, variables)


def _read(
  model: KerasModel, path: str, variables: Iterable[Variable]
) -> NamedValues:
  """The file's values, by the names of those variables that are the model's.

  The model is given the file's values, which are copied, and then its own.
  """
  before = [np.array(value) for value in model.get_weights()]
  try:
    load(model, path)
    after = [np.array(value) for value in model.get_weights()]
  finally:
    model.set_weights(before)
  by_handle = {id(handle_of(w)): v for w, v in zip(model.weights, after)}
  found = {
    variable.name: by_handle[id(handle_of(variable.source))]
    for variable in variables
    if id(handle_of(variable.source)) in by_handle
  }
  specs = {
    name: tf.TensorSpec(value.shape, tf.as_dtype(value.dtype), name)
    for name, value in found.items()
  }
  return NamedValues(path, keras_files.KIND, specs, found.__getitem__)


def undo_missing_rescaling(model: KerasModel) -> None:
  """Turns standard deviations in place of variances into variances.

  `(x - mean) / sqrt(variance)` is then what Keras computes with the rescaling
  layer that only weights="imagenet" has. A `Normalization` layer that was
  never adapted, or was adapted to other data, keeps its values.
  """
  for layer in model.layers:
    if not isinstance(layer, tf.keras.layers.Normalization):
      continue
    values = layer.get_weights()
    if len(values) == 3 and np.allclose(
      np.ravel(values[1]), _IMAGENET_STD, rtol=1e-3
    ):
      mean, std, count = values
      layer.set_weights([mean, np.square(std), count])
      layer.finalize_state()


def _forget_values(model: KerasModel) -> None:
  model.set_weights(
    [
      np.full_like(value, np.nan)
      if np.issubdtype(value.dtype, np.floating)
      else value
      for value in model.get_weights()
    ]
  )


def _require_values(model: KerasModel, path: str) -> None:
  missing = [
    variable.name
    for variable, value in zip(model.weights, model.get_weights())
    if np.issubdtype(value.dtype, np.floating) and np.isnan(value).any()
  ]
  if missing:
    shown = ", ".join(missing[:_NAMES_SHOWN])
    more = ", …" if len(missing) > _NAMES_SHOWN else ""
    raise errors.WeightsError(
      f"{path!r} has no values, or NaN, for {len(missing)} of "
      f"{len(model.weights)} variables of {model.name} ({shown}{more}): "
      "expected one for each. Give weights of the same architecture"
    )
