# SPDX-License-Identifier: Apache-2.0
"""Checkpoints that cannot be read: WeightsError, and what to do about it."""

from __future__ import annotations

import os
import zipfile

import numpy as np
import pytest

import hub_image_export as hie
from hub_image_export.errors import WeightsError
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.weights.readers import open_values
from tests.support import trained


def saved(tmp_path):
  values = {"a": np.ones(5000, np.float32), "b": np.zeros(3, np.float32)}
  return trained.save_tf1(str(tmp_path / "model"), values)


def cut(path, share=0.5):
  os.truncate(path, int(os.path.getsize(path) * share))


def read_all(path):
  values = open_values(path)
  return {name: values.read(name) for name in values.specs}


def fails(path, match):
  with pytest.raises(WeightsError, match=match):
    read_all(path)


def test_no_such_checkpoint(tmp_path):
  fails(tmp_path / "none", "there is no checkpoint .*expected the prefix")


def test_an_empty_directory(tmp_path):
  fails(tmp_path, "has no checkpoints")


def test_several_without_a_state_file(tmp_path):
  for name in ("x", "y"):
    trained.save_tf1(str(tmp_path / name), {"a": np.ones(2, np.float32)})
  (tmp_path / "checkpoint").unlink()
  fails(tmp_path, r"has 2 checkpoints \(x, y\)")


def test_a_directory_that_was_moved(tmp_path):
  saved(tmp_path)
  state = tmp_path / "checkpoint"
  state.write_text('model_checkpoint_path: "/gone/model"\n')
  assert set(read_all(tmp_path)) == {"a", "b"}


def test_any_of_its_files_names_a_checkpoint(tmp_path):
  prefix = saved(tmp_path)
  for ending in (".index", ".data-00000-of-00001", ".meta"):
    assert set(read_all(prefix + ending)) == {"a", "b"}


def test_without_index(tmp_path):
  prefix = saved(tmp_path)
  os.unlink(prefix + ".index")
  fails(prefix, "has no index")
  fails(prefix + ".data-00000-of-00001", "has no index")


def test_without_data(tmp_path):
  prefix = saved(tmp_path)
  os.unlink(prefix + ".data-00000-of-00001")
  fails(prefix, "cannot be read.*Copy them again")


def test_truncated_data(tmp_path):
  prefix = saved(tmp_path)
  cut(prefix + ".data-00000-of-00001")
  fails(prefix, "cannot be read.*Copy them again")


def test_damaged_data(tmp_path):
  """A bit that flipped on the way: checkpoints have checksums."""
  prefix = saved(tmp_path)
  with open(prefix + ".data-00000-of-00001", "r+b") as file:
    file.seek(100)
    file.write(b"\xff")
  fails(prefix, "value of 'a' .*cannot be read")


def test_truncated_index(tmp_path):
  prefix = saved(tmp_path)
  cut(prefix + ".index")
  fails(prefix, "cannot be read")


@pytest.mark.parametrize("name", ["a.npz", "a.h5", "a.keras", "a.index", "a"])
def test_a_file_of_another_format(tmp_path, name):
  (tmp_path / name).write_bytes(b"this is no checkpoint" * 100)
  fails(tmp_path / name, "no file of weights|cannot be read")


def test_a_zip_of_something_else(tmp_path):
  with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
    archive.writestr("photo.jpg", b"...")
  fails(tmp_path / "a.npz", "no file of weights")


def test_truncated_npz(tmp_path):
  np.savez(tmp_path / "a.npz", a=np.ones(5000))
  cut(tmp_path / "a.npz")
  fails(tmp_path / "a.npz", "damaged")


def test_damaged_npz(tmp_path):
  np.savez(tmp_path / "a.npz", a=np.ones(5000))
  with open(tmp_path / "a.npz", "r+b") as file:
    file.seek(3000)
    file.write(b"\xff" * 8)
  fails(tmp_path / "a.npz", "'a' .*cannot be read")


def test_objects_in_npz_are_not_unpickled(tmp_path):
  np.savez(tmp_path / "a.npz", a=np.array([object()]))
  fails(tmp_path / "a.npz", "Python objects")


def test_truncated_keras_files(tmp_path):
  tf.keras.Sequential([tf.keras.Input((4,)), tf.keras.layers.Dense(900)]).save(
    tmp_path / "a.h5"
  )
  cut(tmp_path / "a.h5")
  fails(tmp_path / "a.h5", "cannot be read")


def test_quantized_values_are_no_floats(tmp_path):
  prefix = str(tmp_path / "quantized")
  value = tf.bitcast(tf.zeros([3, 3, 3, 4], tf.int8), tf.qint8)
  tf.raw_ops.SaveV2(
    prefix=prefix,
    tensor_names=["kernel"],
    shape_and_slices=[""],
    tensors=[value],
  )

  def network(images):
    kernel = tf.compat.v1.get_variable("kernel", [3, 3, 3, 4])
    return tf.reduce_mean(tf.nn.conv2d(images, kernel, 1, "SAME"), [1, 2])

  spec = hie.make_feature_vector_module(network, 8, 8)
  with pytest.raises(WeightsError, match="float32, and qint8 in the"):
    spec.with_weights(prefix)
