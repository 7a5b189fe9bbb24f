# SPDX-License-Identifier: Apache-2.0
"""What a directory with a module says of itself, in either format."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from hub_image_export import arguments, contract
from hub_image_export.serving.class_labels import attached_labels
from hub_image_export.serving.loaded_module import LoadedModule, loaded
from hub_image_export.serving.loaded_saved_model import loaded_saved_model
from hub_image_export.serving.statements import Statements, read_manifest
from hub_image_export.sources import hub_module_specs
from hub_image_export.tensorflow_api.compat import hub
from hub_image_export.tensorflow_api.types import ModuleSpec
from hub_image_export.untrusted import saved_models


@dataclasses.dataclass(frozen=True)
class Contents:
  """Attributes:

  signatures: definitions by name, of those on images alone.
  image_size: the expected height and width (C16, T3).
  labels: names of the classes, or None (C8).
  statements: those of the manifest.
  load: loads some of the signatures, by their names, for images of a shape,
    with so many threads.
  """

  signatures: dict[str, Any]
  image_size: tuple[int, int]
  labels: list[str] | None
  statements: Statements
  load: Callable[
    [list[str], list[Any], int], AbstractContextManager[LoadedModule]
  ]


def contents(directory: str) -> Contents:
  """Reads a directory; runs nothing.

  Raises:
    TypeError, ValueError: there is no module, it is damaged, or has no
      signature on images alone.
    SourceError: it could touch the machine.
  """
  is_saved_model = os.path.isfile(
    os.path.join(directory, contract.SAVED_MODEL_FILE)
  ) and not os.path.exists(os.path.join(directory, contract.MODULE_DEF_FILE))
  return (_saved_model if is_saved_model else _hub_module)(directory)


def _hub_module(directory: str) -> Contents:
  spec = hub_module_specs.load("path", directory)
  meta_graph = saved_models.meta_graph(directory, contract.INFERENCE_TAGS)
  signatures = {
    name: definition
    for name, definition in meta_graph.signature_def.items()
    if set(definition.inputs) == {contract.IMAGES} and definition.outputs
  }
  if contract.DEFAULT_SIGNATURE not in signatures:
    raise _no_signature(directory, meta_graph, "C1, C13")
  return Contents(
    signatures,
    _image_size(directory, spec),
    attached_labels(spec),
    read_manifest(directory),
    lambda names, shape, threads: loaded(spec, names, shape, threads),
  )


def _saved_model(directory: str) -> Contents:
  saved_models.refuse_reaching_out(directory)
  try:
    meta_graph = saved_models.meta_graph(directory, contract.SERVING_TAGS)
  except ValueError as error:
    raise ValueError(
      f"path is {arguments.shown(directory)}: {error}"
    ) from error
  signatures = {
    name: definition
    for name, definition in meta_graph.signature_def.items()
    if _takes_images(definition) and definition.outputs
  }
  if contract.SERVING_SIGNATURE not in signatures:
    raise _no_signature(directory, meta_graph, "T14")
  signatures[contract.DEFAULT_SIGNATURE] = signatures.pop(
    contract.SERVING_SIGNATURE
  )
  statements = read_manifest(directory)
  (images,) = signatures[contract.DEFAULT_SIGNATURE].inputs.values()
  fixed = [dim.size for dim in images.tensor_shape.dim][1:3]
  size = statements.image_size or tuple(fixed)
  if len(size) != 2 or min(size) < 1:
    raise ValueError(
      f"path is {arguments.shown(directory)}, a SavedModel that takes images "
      "of any size, and does not say which it expects (T3): resize them, and "
      "load it with tf.saved_model.load"
    )
  return Contents(
    signatures,
    arguments.check_image_size(*size),
    statements.labels,
    statements,
    lambda names, shape, threads: loaded_saved_model(
      directory, {name: signatures[name] for name in names}, shape, threads
    ),
  )


def _takes_images(definition: Any) -> bool:
  """Whether its one input is a batch of images, whatever it is called (T2)."""
  if len(definition.inputs) != 1:
    return False
  (info,) = definition.inputs.values()
  dims = [dim.size for dim in info.tensor_shape.dim]
  return info.dtype == 1 and len(dims) == 4 and dims[3] == contract.NUM_CHANNELS


def _no_signature(directory: str, meta_graph: Any, numbers: str) -> ValueError:
  return ValueError(
    f"path is {arguments.shown(directory)}, a module whose signatures are "
    f"{sorted(meta_graph.signature_def)}: expected a default signature on "
    f"images alone ({numbers}). hie.ModuleFunction wraps modules of other names"
  )


def _image_size(directory: str, spec: ModuleSpec) -> tuple[int, int]:
  try:
    height, width = hub.get_expected_image_size(spec)
    return arguments.check_image_size(height, width)
  except Exception as error:
    raise ValueError(
      f"path is {arguments.shown(directory)}, a module that does not say which "
      f"image size it expects (C16): {error!s:.200}"
    ) from error
