"""Changes files of a module that exists."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator
from typing import Any

from tensorflow.core.protobuf import saved_model_pb2

from hub_image_export.tensorflow_api.compat import tf
from tests.checker import tiny


@contextlib.contextmanager
def saved_model(path: str, **options: Any) -> Iterator[Any]:
  """Builds a module and yields its SavedModel to be changed."""
  tiny.build(path, **options)
  file = pathlib.Path(path) / "saved_model.pb"
  proto = saved_model_pb2.SavedModel.FromString(file.read_bytes())
  yield proto
  file.write_bytes(proto.SerializeToString(deterministic=True))


def for_signatures(proto: Any) -> Iterator[Any]:
  for meta_graph in proto.meta_graphs:
    yield from meta_graph.signature_def.values()


def shape(*sizes: int | None) -> Any:
  """A TensorShapeProto."""
  return tf.TensorShape(sizes).as_proto()


def drop_debug_names(path: str) -> str:
  """What TensorFlow 1.15 does not know in a graph of today, and need not."""
  file = pathlib.Path(path) / "saved_model.pb"
  proto = saved_model_pb2.SavedModel.FromString(file.read_bytes())
  for meta_graph in proto.meta_graphs:
    for node in meta_graph.graph_def.node:
      for name in ("debug_name", "validate_shape"):
        if name in node.attr and node.op != "Assign":
          del node.attr[name]
  file.write_bytes(proto.SerializeToString(deterministic=True))
  return path
