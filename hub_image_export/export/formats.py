# SPDX-License-Identifier: Apache-2.0
"""The two formats of a module: how each is written, loaded and described."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from typing import Any

from hub_image_export import contract
from hub_image_export.export import loaded_module
from hub_image_export.export.module_files import write_module
from hub_image_export.export.saved_model.files import write_saved_model
from hub_image_export.export.saved_model.loaded import Loader
from hub_image_export.tensorflow_api.runtime import run_eagerly
from hub_image_export.tensorflow_api.types import ModuleSpec
from hub_image_export.tracing.image_function import ImageFunction
from hub_image_export.weights import checkpoint_writer

# From signature to outputs, from output to its shape.
Shapes = dict[str, dict[str, str]]


@dataclasses.dataclass(frozen=True)
class Format:
  """A format of modules.

  Attributes:
    name: as flags call it.
    title: as people call it.
    write: writes the files of a spec to an empty directory.
    loader: makes what `verification.verify` loads a module with.
    oldest_tensorflow: the oldest version by the name of a variant.
    signatures: what is served, given what the TF1 Hub format would serve.
  """

  name: str
  title: str
  write: Callable[[str, ModuleSpec], None]
  loader: Callable[[], Any]
  oldest_tensorflow: Callable[[ModuleSpec], dict[str, str]]
  signatures: Callable[[Shapes], Shapes]


def write_variables(function: ImageFunction, prefix: str | bytes) -> None:
  """Writes the values of a TF1 Hub module's variables as a checkpoint."""
  run_eagerly(
    lambda: checkpoint_writer.write_checkpoint(
      os.fsdecode(prefix), function.variables
    )
  )


def _write_hub_module(directory: str, spec: ModuleSpec) -> None:
  write_module(
    directory, spec.handler, lambda p: write_variables(spec.function, p)
  )


def _write_saved_model(directory: str, spec: ModuleSpec) -> None:
  write_saved_model(directory, spec.function, spec.interface)


def _oldest(spec: ModuleSpec) -> dict[str, str]:
  return {v.name: v.oldest_tensorflow for v in spec.function.variants}


def _oldest_to_train(spec: ModuleSpec) -> dict[str, str]:
  """There is a call for training in any case (T6), and gradients with it."""
  last = spec.function.variants[-1]
  return {**_oldest(spec), "train": last.fine_tuned_from}


def _of_saved_model(shapes: Shapes) -> Shapes:
  """Without momentum, which is a parameter of the call (T11, T14)."""
  default = shapes[contract.DEFAULT_SIGNATURE]
  return {
    **{k: v for k, v in shapes.items() if contract.BN_HPARAMS_SUFFIX not in k},
    contract.SERVING_SIGNATURE: {
      contract.DEFAULT_OUTPUT: default[contract.DEFAULT_OUTPUT]
    },
  }


HUB = Format(
  "hub",
  "TF1 Hub format",
  _write_hub_module,
  lambda: loaded_module,
  _oldest,
  dict,
)
SAVED_MODEL = Format(
  "saved_model",
  "reusable SavedModel of TensorFlow 2",
  _write_saved_model,
  Loader,
  _oldest_to_train,
  _of_saved_model,
)
