# SPDX-License-Identifier: Apache-2.0
"""Small SavedModels of each kind, and what may be done to them."""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import SavedModel

v1 = tf.compat.v1
SPEC = tf.TensorSpec([None, 8, 8, 3], tf.float32)


def _nothing() -> list[Any]:
  return []


def v2(path: str, work: Callable[[], list[Any]] = _nothing) -> str:
  """A tf.Module with a variable; `work` runs before it answers."""
  saved = tf.Module()
  saved.scale = tf.Variable(2.0)

  @tf.function(input_signature=[SPEC])
  def call(images):
    with tf.control_dependencies(work()):
      return tf.reduce_mean(images, [1, 2]) * saved.scale

  saved.__call__ = call
  tf.saved_model.save(saved, path, signatures=call)
  return path


def v1_with(path: str, work: Callable[[], Any], **options: Any) -> str:
  """One of TF1 with a saver; `work()` makes ops of the graph.

  Args:
    path: where to.
    work: what it returns is given as the option "main_op", if that is True.
    **options: of the builder.
  """
  with tf.Graph().as_default(), v1.Session() as session:
    images = v1.placeholder(tf.float32, [None, 8, 8, 3], name="images")
    scale = v1.get_variable("scale", initializer=2.0, use_resource=True)
    features = tf.identity(tf.reduce_mean(images, [1, 2]) * scale, "features")
    made = work()
    if options.get("main_op"):
      options["main_op"] = made
    session.run(v1.global_variables_initializer())
    builder = v1.saved_model.Builder(path)
    signature = v1.saved_model.predict_signature_def(
      {"images": images}, {"default": features}
    )
    builder.add_meta_graph_and_variables(
      session, ["serve"], {"serving_default": signature}, **options
    )
    builder.save()
  return path


def v1_plain(path: str) -> str:
  return v1_with(path, _nothing)


def with_table(path: str) -> str:
  """One whose table is read from an asset."""
  vocabulary = os.path.join(os.path.dirname(path), "vocabulary.txt")
  pathlib.Path(vocabulary).write_text("a\nb\n")
  saved = tf.Module()
  saved.asset = tf.saved_model.Asset(vocabulary)
  saved.table = tf.lookup.StaticHashTable(
    tf.lookup.TextFileInitializer(
      saved.asset, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64,
      tf.lookup.TextFileIndex.LINE_NUMBER,
    ),
    -1,
  )  # fmt: skip

  @tf.function(input_signature=[SPEC])
  def call(images):
    number = tf.cast(saved.table.lookup(tf.constant("b")), tf.float32)
    return tf.reduce_mean(images, [1, 2]) * number

  saved.__call__ = call
  tf.saved_model.save(saved, path, signatures=call)
  return path


@contextlib.contextmanager
def edited(path: str) -> Iterator[Any]:
  """The MetaGraphDef of a SavedModel, to be changed."""
  file = pathlib.Path(path, "saved_model.pb")
  proto = SavedModel.FromString(file.read_bytes())
  yield proto.meta_graphs[0]
  file.write_bytes(proto.SerializeToString())
