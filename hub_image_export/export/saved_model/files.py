# SPDX-License-Identifier: Apache-2.0
"""The files of a reusable SavedModel."""

from __future__ import annotations

import dataclasses
import os

from hub_image_export import contract
from hub_image_export.export.interface import Interface
from hub_image_export.export.saved_model import sessions
from hub_image_export.export.saved_model.callables import Callables
from hub_image_export.export.saved_model.objects import Objects
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.private import OBJECT_GRAPH
from hub_image_export.tensorflow_api.protos import SavedModel
from hub_image_export.tracing.image_function import ImageFunction
from hub_image_export.weights import checkpoint_writer


def write(
  directory: str, function: ImageFunction, interface: Interface
) -> None:
  """Writes the SavedModel; the same function gives the same bytes.

  Args:
    directory: exists, and is empty.
    function: of which it is made.
    interface: likewise.

  Raises:
    OSError: a file cannot be written.
    WeightsError: a value cannot be read.
  """
  callables = Callables.of(function, interface)
  objects = Objects(callables)
  strings = {OBJECT_GRAPH: objects.checkpoint_graph()}
  saved = SavedModel(saved_model_schema_version=1)
  meta = saved.meta_graphs.add()
  meta.CopyFrom(objects.meta)
  sessions.add_saver(meta, function.variables, objects.keys, strings)
  meta.meta_info_def.tags.append(tf.saved_model.SERVING)
  meta.meta_info_def.tensorflow_version = tf.version.VERSION
  versions = function.inference.graph_def.versions
  meta.graph_def.versions.CopyFrom(versions)
  path = os.path.join(directory, contract.SAVED_MODEL_FILE)
  with open(path, "wb") as file:
    file.write(saved.SerializeToString(deterministic=True))
  checkpoint_writer.write_checkpoint(
    checkpoint_writer.variables_prefix(directory),
    [dataclasses.replace(v, name=objects.keys[v.name]) for v in function.variables],
    strings,
  )
