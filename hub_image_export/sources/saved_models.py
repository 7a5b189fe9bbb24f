# SPDX-License-Identifier: Apache-2.0
"""A SavedModel of TensorFlow 2 as a function on images."""

from __future__ import annotations

from typing import Any

from absl import logging

from hub_image_export import arguments
from hub_image_export.arguments import called
from hub_image_export.errors import SourceError
from hub_image_export.sources import image_input, outputs, reusable_modules
from hub_image_export.sources.source import Source
from hub_image_export.tensorflow_api import private
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.untrusted import saved_models as saved_model_code

_SERVING_SIGNATURE = "serving_default"
# Where there are several graphs: one for each kind of device, or training.
_SERVING_TAGS = ["serve"]


def load(path: str, name: str = "fn") -> Any:
  """Loads a SavedModel that does not reach out of its directory.

  Args:
    path: its directory.
    name: of the argument, for messages.

  Raises:
    ValueError: it is none, or its ops use files.
    SourceError: it is damaged.
  """
  if not tf.saved_model.contains_saved_model(path):
    raise arguments.wrong_value(
      name, path, "the directory of a SavedModel, with a saved_model.pb"
    )
  subject = f"{name} is {arguments.shown(path)}, a SavedModel that"
  proto = saved_model_code.refuse_reaching_out(path, subject)
  tags = [sorted(meta.meta_info_def.tags) for meta in proto.meta_graphs]
  if len(tags) > 1 and _SERVING_TAGS not in tags:
    raise ValueError(
      f"{subject} has the graphs {tags}: expected {_SERVING_TAGS} among them. "
      f"Load one with tf.saved_model.load(path, tags), and give that"
    )
  logging.info("Loading the SavedModel in %s", path)
  try:
    return tf.saved_model.load(path, _SERVING_TAGS if len(tags) > 1 else None)
  except Exception as error:  # Whatever TensorFlow's readers raise.
    raise SourceError(
      f"{subject} cannot be loaded: {type(error).__name__}: {error!s:.300}. "
      "Is it whole? Save it again"
    ) from error


def is_loaded(value: Any) -> bool:
  """Whether it is what `tf.saved_model.load` returns."""
  return hasattr(value, "signatures") and not isinstance(
    value, (tf.Module, type)
  )


def image_size(
  loaded: Any, output: str | None = None
) -> tuple[int | None, int | None]:
  """Height and width in pixels of what is called, where it says so (T3)."""
  signature = _chosen(loaded, output)[0]
  if signature is not None:
    return image_input.common_size(
      _inputs(loaded.signatures[signature]).values()
    )
  sizes = image_input.common_size(private.saved_inputs(loaded))
  if None not in sizes or _SERVING_SIGNATURE not in loaded.signatures:
    return sizes
  serve = loaded.signatures[_SERVING_SIGNATURE]
  return image_input.common_size(_inputs(serve).values())


def as_source(
  loaded: Any,
  height: int,
  width: int,
  output: str | None = None,
  tasks: tuple[str, ...] | None = (),
) -> Source:
  """A loaded SavedModel; without `__call__`, its serving signature.

  Args:
    loaded: what `tf.saved_model.load` returns.
    height, width: of the images, in pixels.
    output: of several outputs, the name of the one that is wanted; or that of
      a signature; or both, "signature/output".
    tasks: see `reusable_modules.as_source`.

  Raises:
    ValueError: it cannot take such images, or nothing says what to call.
  """
  signature, output = _chosen(loaded, output)
  if signature is not None:
    return _signature_source(loaded, signature, output, height, width)
  _check_traces("SavedModel", private.saved_inputs(loaded), height, width)
  return reusable_modules.as_source(loaded, height, width, tasks, output)


def _check_traces(
  name: str, inputs: list[Any], height: int, width: int
) -> None:
  """Raises what is wrong with the first trace, where none takes the images."""
  problems = []
  for spec in inputs:
    try:
      _check_input(name, spec, height, width)
    except ValueError as error:
      problems.append(error)
  if problems and len(problems) == len(inputs):
    raise problems[0]


def _check_input(name: str, spec: Any, height: int, width: int) -> None:
  if isinstance(spec, tf.TensorSpec):  # Else only a call can tell.
    shape = spec.shape if spec.shape.rank is not None else None
    image_input.check(name, shape, spec.dtype, height, width)


def _chosen(loaded: Any, output: str | None) -> tuple[str | None, str | None]:
  """The signature to call, None for `__call__`; and which of its outputs."""
  signatures = loaded.signatures
  if output is not None:
    if output in signatures:
      return output, None
    first, slash, rest = output.partition("/")
    if slash and first in signatures:
      return first, rest
  if callable(loaded):
    return None, output
  if _SERVING_SIGNATURE in signatures:
    return _SERVING_SIGNATURE, output
  if len(signatures) == 1:
    return next(iter(signatures)), output
  raise ValueError(
    f"the SavedModel cannot be called, and its signatures are "
    f"{sorted(signatures)}: expected {_SERVING_SIGNATURE!r} among them. "
    + (
      f"Choose one with {called('output', next(iter(signatures)))}, say"
      if signatures
      else "Save it with a tf.function on images as its signature"
    )
  )


def _inputs(signature: Any) -> dict[str, Any]:
  return dict(signature.structured_input_signature[1])


def _signature_source(
  loaded: Any, signature: str, output: str | None, height: int, width: int
) -> Source:
  serve = loaded.signatures[signature]
  serving = signature == _SERVING_SIGNATURE
  what = "serving signature" if serving else f"signature {signature!r}"
  inputs = _inputs(serve)
  if len(inputs) != 1:
    others = sorted(set(loaded.signatures) - {signature})
    raise ValueError(
      f"the SavedModel's {what} has the inputs {outputs.described(inputs)}: "
      "expected one, the images (C13). Wrap it in a function that supplies the "
      "others"
      + (f", or choose of {others} with {called('output')}" if others else "")
    )
  ((key, spec),) = inputs.items()
  _check_input(f"the SavedModel's {what}", spec, height, width)

  def call(images, _owner_of_the_variables=loaded):
    found = serve(**{key: images})
    if len(found) == 1 and output is None:
      return next(iter(found.values()))
    return found

  logging.info(
    "The SavedModel's %s is used, which gives no training variant", what
  )
  return Source(name=f"SavedModel ({what})", call=call, output=output)
