"""A Keras file of weights as named values, as Keras itself reads it.

Keras matches values and variables by the order of layers, or by numbers within
a layer: only with the model can its files be understood. The model is given
the file's values, which are copied, and then its own again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from hub_image_export.tensorflow_api import keras_packages
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.weights import keras_model as keras_weights
from hub_image_export.weights.readers import NamedValues, keras_files
from hub_image_export.weights.variable import Variable, handle_of


def read(model: Any, path: str, variables: Iterable[Variable]) -> NamedValues:
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


def the_model(layers: tuple[Any, ...]) -> Any:
  """The one Keras model that a source consists of; None if there is none."""
  if len(layers) == 1 and keras_packages.is_model(layers[0]):
    return layers[0]
  return None
