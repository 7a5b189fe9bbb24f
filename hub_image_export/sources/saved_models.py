# SPDX-License-Identifier: Apache-2.0
"""A SavedModel of TensorFlow 2 as a function on images."""

from __future__ import annotations

from typing import Any

from absl import logging

from hub_image_export import arguments
from hub_image_export.errors import SourceError
from hub_image_export.sources.source import Source, regularization_losses
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.untrusted import saved_models as saved_model_code

_SERVING_SIGNATURE = "serving_default"


def load(path: str) -> Any:
  """Loads a SavedModel that does not reach out of its directory.

  Raises:
    ValueError: it is none, or its ops use files.
    SourceError: it is damaged.
  """
  if not tf.saved_model.contains_saved_model(path):
    raise arguments.wrong_value(
      "fn", path, "the directory of a SavedModel, with a saved_model.pb"
    )
  subject = f"fn is {arguments.shown(path)}, a SavedModel that"
  saved_model_code.refuse_reaching_out(path, subject)
  logging.info("Loading the SavedModel in %s", path)
  try:
    return tf.saved_model.load(path)
  except Exception as error:  # Whatever TensorFlow's readers raise.
    raise SourceError(
      f"{subject} cannot be loaded: {type(error).__name__}: {error!s:.300}. "
      "Is it whole? Save it again"
    ) from error


def is_loaded(value: Any) -> bool:
  """Whether it is what `tf.saved_model.load` returns."""
  return hasattr(value, "signatures") and not isinstance(value, tf.Module)


def as_source(loaded: Any, height: int, width: int) -> Source:
  """A loaded SavedModel; without `__call__`, its serving signature."""
  if not callable(loaded):
    return _serving_source(loaded)
  accepted = [
    parameter
    for parameter in ("training", "is_training")
    if _accepts(loaded, height, width, **{parameter: True})
    and _accepts(loaded, height, width, **{parameter: False})
  ]
  return Source(
    name="SavedModel",
    call=loaded,
    training_parameter=accepted[0] if accepted else None,
    penalties=regularization_losses(loaded),
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
  signatures = dict(loaded.signatures)
  serve = signatures.get(_SERVING_SIGNATURE)
  if serve is None and len(signatures) == 1:
    (serve,) = signatures.values()
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
