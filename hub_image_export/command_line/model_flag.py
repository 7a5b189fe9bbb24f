# SPDX-License-Identifier: Apache-2.0
"""What `--model` may be: a name, a file, a directory, a place in the code.

Which of them it is follows from how it is written; nothing is tried out.
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any

from hub_image_export import arguments, contract
from hub_image_export.command_line import suggestions
from hub_image_export.sources import (
  application_models,
  applications,
  hub_module_specs as module_specs,
  keras_files as model_files,
  keras_models,
  meta_graph_files,
  saved_models,
  user_code,
)
from hub_image_export.tensorflow_api import keras_packages
from hub_image_export.tensorflow_api.compat import hub
from hub_image_export.tensorflow_api.types import ModuleSpec

_FORMS = (
  "the name of a Keras Application (MobileNetV2), a saved Keras model "
  "(model.keras, model.h5), a directory with a SavedModel or a TF1 Hub "
  "module, the graph of a TF1 checkpoint (model.ckpt.meta), or a model or "
  "function in Python code (file.py:name, package.module:name)"
)


@dataclasses.dataclass(frozen=True)
class LoadedModel:
  """A model to export, and the defaults of the flags that it brings along.

  Attributes:
    source: a Keras model, a function, a loaded SavedModel, or the
      `hub.ModuleSpec` of a TF1 Hub module.
    arch_name: prefix of its endpoints (C10), if it has a name of its own.
    height, width: the image size that it is made for in pixels, if known.
    preprocess: what it takes, a mode of `preprocessing`, if known.
    feature_layer: the layer of a Keras classifier that yields the feature
      vector, where that was asked for and is known.
    application: the Keras Application that it is, if it is one.
  """

  source: Any
  arch_name: str | None = None
  height: int | None = None
  width: int | None = None
  preprocess: str | None = None
  feature_layer: str | None = None
  application: applications.Application | None = None


def load(
  model: str,
  *,
  task: str = "feature_vector",
  weights: str | None = None,
  height: int | None = None,
  width: int | None = None,
  num_classes: int | None = None,
  variable_size: bool = False,
  output: str | None = None,
  images: str | None = None,
) -> LoadedModel:
  """Loads, or for a Keras Application builds, what `--model` names.

  Args:
    model: the value of the flag.
    task, weights, height, width, num_classes, variable_size: how to build a
      Keras Application, see `application_models.build`. All other models are
      what they are; weights given for one of them are an error.
    output: which of several outputs is meant, or which signature.
    images: the tensor of a meta graph that takes the images.

  Raises:
    ValueError: `model` names nothing that could be exported.
    errors.ImageExportError: the weights cannot be had, or the user's code
      fails when it is imported.
  """
  if applications.is_application(model):
    application = applications.get(model)
    built, feature_layer = application_models.build(
      application,
      task=task,
      weights=weights or application_models.IMAGENET,
      height=height,
      width=width,
      num_classes=num_classes,
      variable_size=variable_size,
    )
    return LoadedModel(
      source=built,
      arch_name=application.name,
      height=height or application.height,
      width=width or application.width,
      preprocess=application.preprocess,
      feature_layer=feature_layer,
      application=application,
    )
  check(model)
  if weights is not None:
    raise ValueError(
      f"--weights is {weights!r}, and --model is {model!r}: expected weights "
      "for Keras Applications only. Leave them out, or see --checkpoint"
    )
  if model.endswith(suggestions.META_GRAPH) and os.path.isfile(model):
    function, size = meta_graph_files.load(model, images, output)
    return LoadedModel(function, None, *size)
  if images is not None:
    raise ValueError(
      f"--images is {arguments.shown(images)}, but it is for meta graphs "
      "(model.ckpt.meta): leave it out"
    )
  return _described(_load_source(model), output)


def check(model: str) -> None:
  """Raises ValueError where `model` names nothing; nothing is loaded yet."""
  place = model.rpartition(":")[0] if user_code.is_reference(model) else model
  if applications.is_application(model):
    return
  if arguments.is_remote(model):
    raise arguments.wrong_value(
      "--model", model, f"{_FORMS}, on this machine. Copy it here first"
    )
  if place == model and model.endswith(".py"):
    raise arguments.wrong_value(
      "--model",
      model,
      f"the name of a model or function in that file, too: {model}:name",
    )
  if os.path.isdir(model):
    if not suggestions.directory_kinds(model):
      raise ValueError(
        f"--model is {model!r}, a directory that has neither "
        f"{contract.MODULE_DEF_FILE} nor {contract.SAVED_MODEL_FILE}: expected "
        f"that of a TF1 Hub module or a SavedModel{suggestions.within(model)}"
      )
    return
  is_file = place.endswith(
    (*suggestions.KERAS_SUFFIXES, ".py", suggestions.META_GRAPH)
  )
  if is_file and os.path.isfile(place) or place != model and not is_file:
    return
  raise arguments.wrong_value(
    "--model", model, f"{_FORMS}{suggestions.beside(place, is_file)}"
  )


def _load_source(model: str) -> Any:
  if user_code.is_reference(model):
    return user_code.load(model)
  if model.endswith(suggestions.KERAS_SUFFIXES):
    return model_files.load(model)
  if suggestions.directory_kinds(model)[0] == contract.MODULE_DEF_FILE:
    return module_specs.load("--model", model)
  return saved_models.load(model, "--model")


def _described(source: Any, output: str | None) -> LoadedModel:
  if isinstance(source, hub.ModuleSpec):
    height, width = _expected_size(source)
    return LoadedModel(source, height=height, width=width)
  if keras_packages.is_model(source):
    height, width = keras_models.image_size(source)
    return LoadedModel(source, source.name, height, width)
  if saved_models.is_loaded(source):
    height, width = saved_models.image_size(source, output)
    return LoadedModel(source, height=height, width=width)
  name = getattr(source, "__name__", None)
  return LoadedModel(source, name if name != "<lambda>" else None)


def _expected_size(spec: ModuleSpec) -> tuple[int | None, int | None]:
  """Height and width that a module expects, where it is an image module."""
  try:
    return hub.get_expected_image_size(spec)
  except (KeyError, ValueError):
    return None, None
