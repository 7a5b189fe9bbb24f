# SPDX-License-Identifier: Apache-2.0
"""A SavedModel of TensorFlow 2 in a graph and a session, by its signatures."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hub_image_export import contract
from hub_image_export.serving.loaded_module import LoadedModule, session_of
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.runtime import quiet
from hub_image_export.untrusted.graph import node_name


@contextlib.contextmanager
def loaded_saved_model(
  directory: str,
  signatures: Mapping[str, Any],
  image_shape: Sequence[int | None],
  threads: int = 0,
) -> Iterator[LoadedModule]:
  """Loads it (T14); each signature gets the same images.

  Args:
    directory: of the SavedModel.
    signatures: definitions by name; each has one input.
    image_shape: of the images.
    threads: as for `session_of`.
  """
  graph = tf.Graph()
  with graph.as_default(), session_of(graph, threads) as session:
    with quiet():
      images = tf.compat.v1.placeholder(tf.float32, image_shape)
      inputs = {
        node_name(info.name): images
        for definition in signatures.values()
        for info in definition.inputs.values()
      }
      tf.compat.v1.saved_model.load(
        session, list(contract.SERVING_TAGS), directory, input_map=inputs
      )
    outputs = {
      f"{name}/{key}": graph.get_tensor_by_name(info.name)
      for name, definition in signatures.items()
      for key, info in definition.outputs.items()
    }
    yield LoadedModule(graph, images, outputs, session)
