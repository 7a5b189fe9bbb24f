# SPDX-License-Identifier: Apache-2.0
"""Changes files of a module that exists."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator
from typing import Any, Callable

from hub_image_export.tensorflow_api.protos import SavedModel
from tests.checker import tiny


def nodes(op: str, change: Callable[[Any], None]) -> Callable[[Any], None]:
  """What changes all nodes of `op` in a MetaGraphDef."""

  def change_all(meta_graph: Any) -> None:
    for node in meta_graph.graph_def.node:
      if node.op == op:
        change(node)

  return change_all


@contextlib.contextmanager
def saved_model(path: str, **options: Any) -> Iterator[Any]:
  """Builds a module and yields its SavedModel to be changed."""
  tiny.build(path, **options)
  with existing(path) as proto:
    yield proto


@contextlib.contextmanager
def existing(path: str) -> Iterator[Any]:
  """The SavedModel of a module that is there, to be changed."""
  file = pathlib.Path(path) / "saved_model.pb"
  proto = SavedModel.FromString(file.read_bytes())
  yield proto
  file.write_bytes(proto.SerializeToString(deterministic=True))


def drop_debug_names(path: str) -> str:
  """What TensorFlow 1.15 does not know in a graph of today, and need not."""
  with existing(path) as proto:
    for meta_graph in proto.meta_graphs:
      for node in meta_graph.graph_def.node:
        for name in ("debug_name", "validate_shape"):
          if name in node.attr and node.op != "Assign":
            del node.attr[name]
  return path
