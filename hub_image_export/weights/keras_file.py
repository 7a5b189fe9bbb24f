"""A Keras file of weights as named values, as Keras itself reads it.

Keras matches values and variables by the order of layers, or by numbers within
a layer: only with the model can its files be understood. The model is given
the file's values, which are copied, and then its own again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import numpy as np

from hub_image_export.tensorflow_api import keras_packages
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.types import KerasModel, Layer
from hub_image_export.weights import keras_model as keras_weights
from hub_image_export.weights.names import NameRules
from hub_image_export.weights.readers import (
  NamedValues,
  keras_files,
  open_values,
)
from hub_image_export.weights.variable import Variable, handle_of


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
  """Reads the file's values, by the names of the module's variables.

  Args:
    model: the Keras model that the module is made of; has its own values
      again when this returns or raises.
    path: of the file.
    variables: of the module; those that are not the model's are left out.

  Raises:
    WeightsError: the file is not of this architecture, or lacks values.
  """
  before = [np.array(value) for value in model.get_weights()]
  try:
    keras_weights.load(model, path)
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
