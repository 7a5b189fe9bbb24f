# SPDX-License-Identifier: Apache-2.0
"""A SavedModel that would touch the machine is not even loaded (F5)."""

from __future__ import annotations

import os

import pytest

import hub_image_export as hie
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.untrusted import saved_models as saved_model_code
from tests.support import saved_sources


def _save(directory, work):
  """A SavedModel whose signature does `work` before it answers."""
  saved = tf.Module()

  @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32)])
  def call(images):
    with tf.control_dependencies(work()):
      return tf.reduce_mean(images, [1, 2])

  saved.__call__ = call
  path = os.path.join(directory, "saved")
  tf.saved_model.save(saved, path)
  return path


def _saves(target):
  return lambda: [
    tf.raw_ops.SaveV2(
      prefix=target, tensor_names=["a"], shape_and_slices=[""], tensors=[1.0]
    )
  ]


@pytest.mark.parametrize(
  ("op", "work"),
  [
    ("WriteFile", lambda t: lambda: [tf.io.write_file(t, "x")]),
    ("ReadFile", lambda t: lambda: [tf.io.read_file("/etc/hostname")]),
    ("MatchingFiles", lambda t: lambda: [tf.io.matching_files("/*")]),
    ("PyFunc", lambda t: lambda: [tf.py_function(lambda: 1, [], tf.int32)]),
    ("SaveV2", _saves),
  ],
)
def test_ops_on_files_are_refused(op, work, tmp_path):
  target = str(tmp_path / "stolen")
  path = _save(str(tmp_path), work(target))
  with pytest.raises(hie.SourceError, match=op):
    hie.make_feature_vector_module(path, 8, 8)
  assert sorted(os.listdir(tmp_path)) == ["saved"]


def test_initializer_does_not_run(tmp_path):
  """TensorFlow runs it when it loads the SavedModel."""
  target = str(tmp_path / "stolen")
  path, v1 = str(tmp_path / "saved"), tf.compat.v1
  with tf.Graph().as_default(), v1.Session() as session:
    write = tf.io.write_file(target, "x")
    images = v1.placeholder(tf.float32, [None, 8, 8, 3])
    features = tf.reduce_mean(images, [1, 2])
    v1.saved_model.simple_save(
      session,
      path,
      {"images": images},
      {"default": features},
      legacy_init_op=write,
    )
  with pytest.raises(hie.SourceError, match="WriteFile"):
    hie.make_feature_vector_module(path, 8, 8)
  assert not os.path.exists(target)


def test_ordinary_ones_are_let_be(tmp_path):
  """They save and restore themselves."""
  saved_sources.saved_module(str(tmp_path))
  saved_model_code.refuse_reaching_out(str(tmp_path / "saved_module"))


def test_functions_that_look_at_files_are_refused_as_sources():
  """Whoever made them: a module with such ops is none."""

  def network(images):
    count = tf.size(tf.io.matching_files("/*"))
    return tf.reduce_mean(images, [1, 2]) + 0.0 * tf.cast(count, tf.float32)

  with pytest.raises(ValueError, match="MatchingFiles may use files"):
    hie.make_feature_vector_module(network, 8, 8)
