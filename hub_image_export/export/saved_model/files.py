# SPDX-License-Identifier: Apache-2.0
"""The files of a reusable SavedModel."""

from __future__ import annotations

import dataclasses
import os

from hub_image_export import contract
from hub_image_export.export.interface import Interface
from hub_image_export.export.saved_model import fingerprint
from hub_image_export.export.saved_model.callables import Callables
from hub_image_export.export.saved_model.objects import Objects
from hub_image_export.export.saver_nodes import add_saver
from hub_image_export.export.variable_nodes import free_scope
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.private import OBJECT_GRAPH
from hub_image_export.tensorflow_api.protos import SavedModel
from hub_image_export.tracing.image_function import ImageFunction
from hub_image_export.weights import checkpoint_writer


def write_saved_model(
  directory: str, function: ImageFunction, interface: Interface
) -> None:
  """Writes a reusable SavedModel; the same function gives the same bytes.

  Args:
    directory: exists, and is empty.
    function: of which it is made.
    interface: likewise.

  Raises:
    OSError: a file cannot be written.
    WeightsError: a value cannot be read.
  """
  objects = Objects(Callables.of(function, interface))
  strings = {OBJECT_GRAPH: objects.checkpoint_graph()}
  meta = objects.meta
  scope = free_scope("save", function.variables)
  add_saver(meta, scope, function.variables, objects.keys, strings)
  meta.meta_info_def.tags.extend(contract.SERVING_TAGS)
  meta.meta_info_def.tensorflow_version = tf.version.VERSION
  meta.graph_def.versions.CopyFrom(function.inference.graph_def.versions)
  saved = SavedModel(saved_model_schema_version=1, meta_graphs=[meta])
  content = saved.SerializeToString(deterministic=True)
  with open(os.path.join(directory, contract.SAVED_MODEL_FILE), "wb") as file:
    file.write(content)
  checkpoint_writer.write_checkpoint(
    checkpoint_writer.variables_prefix(directory),
    [
      dataclasses.replace(variable, name=objects.keys[variable.name])
      for variable in function.variables
    ],
    strings,
  )
  fingerprint.write(directory, content, saved)
