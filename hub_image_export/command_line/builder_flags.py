# SPDX-License-Identifier: Apache-2.0
"""From the flags of `export_module` to the builder and its arguments."""

from __future__ import annotations

from typing import Any

from hub_image_export import arguments, contract
from hub_image_export.command_line import export_flags
from hub_image_export.command_line.model_flag import LoadedModel
from hub_image_export.export import builders
from hub_image_export.export.order import Options, Order
from hub_image_export.export.spec import ImageModuleSpec

_FEATURE_VECTOR, _CLASSIFICATION, _ALL = (
  "feature_vector",
  "classification",
  "all",
)


def check() -> None:
  """Raises for what is wrong whatever the model is: it is not loaded yet.

  Raises:
    TypeError, ValueError: as the builders; flags have their arguments' names.
  """
  task = export_flags.TASK.value
  _check_task(task)
  Order.of(
    export_flags.HEIGHT.value or 1,
    export_flags.WIDTH.value or 1,
    _options(export_flags.ARCH_NAME.value, _preprocess(None)),
    tasks=None if task == _ALL else (contract.IMAGE_CLASSIFICATION,),
    default_task=contract.IMAGE_CLASSIFICATION,
    feature_layer=export_flags.FEATURE_LAYER.value,
    num_classes=export_flags.NUM_CLASSES.value,
    labels=export_flags.LABELS.value,
  )


def _check_task(task: str) -> None:
  """Whether flags are given that the task has no use for."""
  if task == _CLASSIFICATION and export_flags.FEATURE_LAYER.value:
    raise ValueError(
      f"--feature_layer is {export_flags.FEATURE_LAYER.value!r}, but it is for "
      "features: give --task=feature_vector or --task=all, or leave it out"
    )
  for flag in (export_flags.NUM_CLASSES, export_flags.LABELS):
    if task == _FEATURE_VECTOR and flag.value:
      raise ValueError(
        f"--{flag.name} is {flag.value!r}, but it is for classifiers: give "
        "--task=classification or --task=all, or leave it out"
      )


def build(loaded: LoadedModel) -> ImageModuleSpec:
  """Calls the builder for --task; what the model says stands in for flags."""
  size = _size(loaded)
  options = _options(
    export_flags.ARCH_NAME.value or loaded.arch_name,
    _preprocess(loaded.preprocess),
  )
  feature_layer = export_flags.FEATURE_LAYER.value or loaded.feature_layer
  if export_flags.TASK.value == _FEATURE_VECTOR:
    return builders.make_feature_vector_module(
      loaded.source, *size, feature_layer=feature_layer, **options
    )
  classes = {
    "num_classes": export_flags.NUM_CLASSES.value,
    "labels": export_flags.LABELS.value,
  }
  if export_flags.TASK.value == _CLASSIFICATION:
    return builders.make_classification_module(
      loaded.source, *size, **classes, **options
    )
  return builders.make_image_module(
    loaded.source,
    *size,
    default_task=contract.IMAGE_CLASSIFICATION,
    feature_layer=feature_layer,
    **classes,
    **options,
  )


def _options(arch_name: str | None, preprocess: Any) -> Options:
  return {
    "arch_name": arch_name,
    "preprocess": preprocess,
    "output": export_flags.OUTPUT.value,
    "endpoints": export_flags.ENDPOINTS.value,
    "variable_size": export_flags.VARIABLE_SIZE.value,
    "training": export_flags.TRAINING.value,
    "batch_norm_momentum": export_flags.BN_HPARAMS.value,
    "drop_collections": export_flags.DROP_COLLECTIONS.value or (),
    "allow_custom_gradients": export_flags.ALLOW_CUSTOM_GRADIENTS.value,
  }


def _size(loaded: LoadedModel) -> tuple[int, int]:
  height = export_flags.HEIGHT.value or loaded.height
  width = export_flags.WIDTH.value or loaded.width
  if not height or not width:
    raise ValueError(
      f"the model {export_flags.MODEL.value} does not tell which size of "
      "images it expects: give --height and --width"
    )
  return height, width


def _preprocess(default: str | None) -> Any:
  value = export_flags.PREPROCESS.value
  if value is None:
    return default
  if value == "none":
    return None
  mean, slash, std = value.partition("/")
  if not slash:
    return value
  try:
    return _numbers(mean), _numbers(std)
  except ValueError:
    raise ValueError(
      f"--preprocess is {arguments.shown(value)}: expected numbers, as in "
      "0.485,0.456,0.406/0.229,0.224,0.225"
    ) from None


def _numbers(text: str) -> float | list[float]:
  """One number for all channels, or one for each."""
  numbers = [float(number) for number in text.split(",")]
  return numbers[0] if len(numbers) == 1 else numbers
