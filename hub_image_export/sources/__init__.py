# SPDX-License-Identifier: Apache-2.0
"""What users have, as one function on images: models, files, their own code.

`as_source` is the one place that tells kinds of sources apart: nothing above
knows which it was. The room also finds models by what `--model` calls them
(`applications`, `keras_files`, `user_code`). It takes from `graph`, `weights`,
`untrusted` and what stands below them.
"""

from __future__ import annotations

import dataclasses
import inspect
import os
from typing import Any

from hub_image_export import arguments, contract
from hub_image_export.sources import keras_models, saved_models
from hub_image_export.sources.hub_module import ModuleFunction
from hub_image_export.sources.source import Source, of_callable
from hub_image_export.tensorflow_api import keras_packages
from hub_image_export.tensorflow_api.compat import hub


def as_source(
  fn: Any,
  height: int,
  width: int,
  tasks: tuple[str, ...] | None = None,
  output: str | None = None,
) -> Source:
  """Returns the `Source` of whatever the user handed to a builder.

  Args:
    fn: a Keras model or layer, a function or other callable, a loaded
      SavedModel, the path of one, or a TF1 Hub module's spec.
    height: of the images, in pixels.
    width: likewise.
    tasks: which are wanted of a module; None for all that it has.
    output: which of several outputs is wanted, by its name; None for all.

  Raises:
    TypeError: `fn` is nothing of the kind.
    ValueError: it cannot take batches of such images, or is no SavedModel.
    SourceError: a SavedModel cannot be loaded.
  """
  if isinstance(fn, (str, os.PathLike)):
    fn = saved_models.load(
      arguments.check_local_path("fn", fn, "a SavedModel, or a model itself")
    )
  if isinstance(fn, hub.ModuleSpec):
    outputs = None if output is None else {contract.DEFAULT_OUTPUT: output}
    return ModuleFunction(fn, outputs, tasks=tasks).as_source()
  if saved_models.is_loaded(fn):
    return saved_models.as_source(fn, height, width, output, tasks)
  source = _as_source(fn, height, width)
  return dataclasses.replace(source, output=output)


def _as_source(fn: Any, height: int, width: int) -> Source:
  if isinstance(fn, ModuleFunction):
    return fn.as_source()
  if inspect.isclass(fn):
    raise TypeError(
      f"{arguments.called('fn')} is the class {fn.__name__}: expected an "
      "instance of it, or a function on images"
    )
  if keras_packages.is_layer(fn):
    return keras_models.as_source(fn, height, width)
  if callable(fn):
    return of_callable(fn)
  raise TypeError(
    f"{arguments.called('fn')} is {type(fn).__name__} ({arguments.shown(fn)}): "
    "expected a Keras model, a function on images, or a SavedModel"
  )
