# SPDX-License-Identifier: Apache-2.0
"""Trained weights from each format: accuracy and outputs are the source's."""

from __future__ import annotations

import numpy as np
import pytest

from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.weights import checkpoint_writer as weights
from tests.support import trained

v1 = tf.compat.v1


def _tf1(directory):
  values = trained.values_of(trained.trained())
  return trained.save_tf1(f"{directory}/model", values)


def _tf1_directory(directory):
  """The latest of two, as Estimators leave them."""
  values = trained.values_of(trained.trained())
  wrong = {name: np.zeros_like(value) for name, value in values.items()}
  with tf.Graph().as_default(), v1.Session() as session:
    made = {k: v1.get_variable(k, initializer=v) for k, v in wrong.items()}
    session.run(v1.global_variables_initializer())
    saver = v1.train.Saver()
    saver.save(session, f"{directory}/model.ckpt", 1)
    for name, variable in made.items():
      variable.load(values[name], session)
    saver.save(session, f"{directory}/model.ckpt", 2)
  return directory


def _tf1_sharded(directory):
  half = {}
  values = trained.values_of(trained.trained())
  with tf.Graph().as_default():
    for i, (name, value) in enumerate(values.items()):
      with tf.device(f"/cpu:{i % 2}"):
        half[name] = v1.get_variable(name, initializer=value)
    config = v1.ConfigProto(device_count={"CPU": 2})
    with v1.Session(config=config) as session:
      session.run(v1.global_variables_initializer())
      saver = v1.train.Saver(half, sharded=True)
      return saver.save(session, f"{directory}/model")


def _tf1_partitioned(directory):
  values = trained.values_of(trained.trained())
  with tf.Graph().as_default(), v1.Session() as session:
    for name, value in values.items():
      parts = v1.fixed_size_partitioner(2) if value.ndim == 4 else None
      v1.get_variable(
        name, value.shape, partitioner=parts, initializer=_initializer(value)
      )
    session.run(v1.global_variables_initializer())
    return v1.train.Saver().save(session, f"{directory}/model")


def _initializer(value):
  def initial(shape, dtype=None, partition_info=None):
    offset = partition_info.var_offset if partition_info else [0] * value.ndim
    slices = tuple(slice(o, o + s) for o, s in zip(offset, shape))
    return tf.constant(value[slices], dtype)

  return initial


def _tf2(directory):
  model = trained.trained()
  checkpoint = tf.train.Checkpoint(net=model, step=tf.Variable(7))
  return checkpoint.save(f"{directory}/ckpt")


def _saved_model(directory):
  tf.saved_model.save(trained.trained(), directory)
  return directory


def _keras_export(directory):
  model = trained.trained()
  if not hasattr(model, "export"):
    pytest.skip("this Keras has no model.export")
  model.export(directory)
  return directory


def _module(directory):
  trained.make_spec(trained.trained()).export(f"{directory}/module")
  return f"{directory}/module"


def _npz(directory):
  np.savez(f"{directory}/w.npz", **trained.values_of(trained.trained()))
  return f"{directory}/w.npz"


def _npz_compressed(directory):
  values = trained.values_of(trained.trained())
  np.savez_compressed(f"{directory}/w.npz", **values)
  return f"{directory}/w.npz"


def _keras_weights(directory):
  trained.trained().save_weights(f"{directory}/a.weights.h5")
  return f"{directory}/a.weights.h5"


def _keras_hdf5(directory):
  trained.trained().save(f"{directory}/a.h5")
  return f"{directory}/a.h5"


def _keras_model(directory):
  trained.trained().save(f"{directory}/a.keras")
  return f"{directory}/a.keras"


_FORMATS = [
  _tf1, _tf1_directory, _tf1_sharded, _tf1_partitioned, _tf2, _saved_model,
  _keras_export, _module, _npz, _npz_compressed, _keras_weights, _keras_hdf5,
  _keras_model,
]  # fmt: skip


@pytest.mark.parametrize("save", _FORMATS)
def test_round_trip(save, tmp_path):
  spec = trained.untrained_spec()
  before = spec.function.reference(trained.digits().test_images[:4])
  (tmp_path / "saved").mkdir()
  checkpoint = save(str(tmp_path / "saved"))
  path = str(tmp_path / "exported")
  summary = spec.export(path, checkpoint)
  assert summary.verified
  trained.assert_is_trained(path)
  after = spec.function.reference(trained.digits().test_images[:4])
  (before, after) = (tf.nest.flatten(x)[-1].numpy() for x in (before, after))
  np.testing.assert_array_equal(before, after)


def test_closure_with_a_keras_file(tmp_path):
  """The one model that a function calls reads it."""
  model = trained.digits_network.build()
  trained.trained().save_weights(str(tmp_path / "a.weights.h5"))
  spec = trained.make_spec(lambda images: model(images, training=False))
  spec.export(str(tmp_path / "m"), str(tmp_path / "a.weights.h5"))
  trained.assert_is_trained(str(tmp_path / "m"))


def test_legacy_keras_file_without_a_model(tmp_path):
  """By the names that stand in the file, which is all that there is."""
  trained.trained().save(str(tmp_path / "a.h5"))
  found = trained.trained()
  names = trained.digits_network.named_weights(found)
  stand_in = {
    name: tf.Variable(tf.zeros(v.shape), name=name) for name, v in names.items()
  }

  def fn(images):
    total = sum(tf.reduce_sum(v) for v in stand_in.values())
    return tf.reduce_mean(images, [1, 2]) + total

  spec = trained.make_spec(fn)
  path = str(tmp_path / "a.h5")
  for variable in spec.with_weights(path).function.variables:
    expected = trained.values_of(found)[variable.name]
    np.testing.assert_array_equal(variable.read(), expected)


def test_with_weights_is_a_module_at_once(tmp_path):
  spec = trained.untrained_spec().with_weights(_npz(tmp_path))
  trained.assert_is_trained(spec)


def test_groups_are_one_checkpoint(tmp_path, monkeypatch):
  """Values from files are written in several shards."""
  monkeypatch.setattr(weights, "_GROUP_BYTES", 20_000)
  path = str(tmp_path / "m")
  trained.untrained_spec().export(path, _npz(tmp_path))
  files = [p.name for p in (tmp_path / "m" / "variables").iterdir()]
  assert len(files) > 2
  assert all(f.startswith("variables.") for f in files)
  trained.assert_is_trained(path)


def test_same_bytes_each_time(tmp_path):
  saved = _npz(tmp_path)
  contents = []
  for name in "ab":
    trained.untrained_spec().export(str(tmp_path / name), saved)
    contents.append(
      {
        str(f.relative_to(tmp_path / name)): f.read_bytes()
        for f in (tmp_path / name).rglob("*")
        if f.is_file()
      }
    )
  assert contents[0] == contents[1]
