# SPDX-License-Identifier: Apache-2.0
"""Values that functions take from checkpoints, and variables in parts."""

from __future__ import annotations

import numpy as np
import pytest

import hub_image_export as hie
from hub_image_export.errors import SourceError, WeightsError
from hub_image_export.tensorflow_api.compat import tf
from tests.conformance.warnings_of import warnings_of
from tests.support import fresh_process
from tests.support.consumer import Consumer, random_images

v1 = tf.compat.v1
_IMAGES = random_images(3, 6, 5)


def _net(x, partitioner=None):
  """Variables of three shapes; the kernel may be in parts, and `scale` not."""
  with v1.variable_scope("net", partitioner=partitioner):
    x = tf.matmul(x, v1.get_variable("kernel", [3, 4]))
    table = v1.get_variable("table", [5, 4])
    x += tf.gather(tf.convert_to_tensor(table), [3])
    return x * v1.get_variable("scale", [])


def _pooled(images):
  return tf.reduce_mean(images, [1, 2])


@pytest.fixture(scope="module", params=["whole", "parts"])
def trained(request, tmp_path_factory):
  """A checkpoint of `_net`, and what its graph gives for the images."""
  partitioner = (
    v1.fixed_size_partitioner(2) if request.param == "parts" else None
  )
  path = str(tmp_path_factory.mktemp("c") / "model.ckpt")
  with tf.Graph().as_default(), v1.Session() as session:
    outputs = _net(_pooled(tf.constant(_IMAGES)), partitioner)
    session.run(v1.global_variables_initializer())
    v1.train.Saver().save(session, path)
    return path, session.run(outputs)


def _outputs(path, tags=frozenset()):
  consumer = Consumer(str(path), tags)
  return consumer.run(consumer.outputs["default"], _IMAGES)["default"]


_PARTITIONERS = {
  "none": None,
  "fixed": v1.fixed_size_partitioner(3),
  "sizes": v1.variable_axis_size_partitioner(32),
  "smallest": v1.min_max_variable_partitioner(2, min_slice_size=16),
  "own": lambda shape, dtype: [min(2, shape[0])] + [1] * (len(shape) - 1),
  "columns": lambda shape, **_: [1] * (shape.rank - 1) + [2],
}


@pytest.mark.parametrize("name", _PARTITIONERS)
def test_a_function_with_a_partitioner_has_its_checkpoint(
  name, trained, tmp_path
):
  """However it was partitioned when it was trained."""
  path, expected = trained
  spec = hie.make_feature_vector_module(
    lambda images: _net(_pooled(images), _PARTITIONERS[name]), 6, 5
  )
  spec.export(tmp_path / "m", checkpoint_path=path, strict=True)
  np.testing.assert_allclose(_outputs(tmp_path / "m"), expected, rtol=1e-5)
  # The module is a checkpoint for another one, whole or in parts.
  for other in (None, _PARTITIONERS["fixed"]):
    again = hie.make_feature_vector_module(
      lambda images, other=other: _net(_pooled(images), other), 6, 5
    )
    if other is None or name in ("none", "fixed"):
      again = again.with_weights(tmp_path / "m", strict=True)
      again.export(tmp_path / "again", overwrite=True)
      found = _outputs(tmp_path / "again")
      np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_parts_under_other_names(trained, tmp_path):
  path, expected = trained

  def fn(images):
    with v1.variable_scope("mine"):
      return _net(_pooled(images), _PARTITIONERS["fixed"])

  spec = hie.make_feature_vector_module(fn, 6, 5)
  spec.export(
    tmp_path / "m", checkpoint_path=path, checkpoint_map={"mine/(.*)": r"\1"}
  )
  np.testing.assert_allclose(_outputs(tmp_path / "m"), expected, rtol=1e-5)


def test_parts_of_another_shape_are_told(tmp_path):
  np.savez(
    tmp_path / "w.npz",
    **{
      "net/kernel": np.ones([3, 5], np.float32),
      "net/table/part_0": np.ones([2, 4], np.float32),
      "net/table/part_1": np.ones([2, 4], np.float32),
    },
  )
  for partitioner in (None, _PARTITIONERS["fixed"]):
    spec = hie.make_feature_vector_module(
      lambda images, p=partitioner: _net(_pooled(images), p), 6, 5
    )
    with pytest.raises(WeightsError, match=r"\(3, 4\).*\(3, 5\).*scale is mis"):
      spec.with_weights(tmp_path / "w.npz")


def _init_from_checkpoint(path, names):
  v1.train.init_from_checkpoint(path, names)


def _warm_start(path, names):
  del names
  v1.train.warm_start(path, vars_to_warm_start=".*")


@pytest.mark.parametrize("how", [_init_from_checkpoint, _warm_start])
@pytest.mark.parametrize("partitioner", ["none", "fixed"])
@pytest.mark.parametrize("when", ["always", "inference", "training"])
def test_values_that_a_function_asks_for(
  how, partitioner, when, trained, tmp_path, caplog
):
  path, expected = trained

  def fn(images, is_training):
    x = _net(_pooled(images), _PARTITIONERS[partitioner])
    if when == "always" or is_training == (when == "training"):
      how(path, {"net/": "net/"})
    return x * (2.0 if is_training else 1.0)

  def export():
    hie.make_feature_vector_module(fn, 6, 5).export(tmp_path / "m")

  assert not any("initial values" in w for w in warnings_of(caplog, export))
  np.testing.assert_allclose(_outputs(tmp_path / "m"), expected, rtol=1e-5)
  training = _outputs(tmp_path / "m", frozenset({"train"}))
  np.testing.assert_allclose(training, 2.0 * expected, rtol=1e-5)


def test_values_of_some_variables_and_another_name(trained, tmp_path, caplog):
  path, _ = trained

  def fn(images):
    with v1.variable_scope("mine"):
      x = _net(_pooled(images))
    names = {"net/table": "mine/net/table", "net/scale": "mine/net/scale"}
    v1.train.init_from_checkpoint(path, names)
    return x

  def export():
    hie.make_feature_vector_module(fn, 6, 5).export(tmp_path / "m")

  warnings = warnings_of(caplog, export)
  assert sum("makes 1 variables itself" in w for w in warnings) == 1
  values = Consumer(str(tmp_path / "m")).values()
  reader = tf.train.load_checkpoint(path)
  for name in ("net/table", "net/scale"):
    stored = reader.get_tensor(name)
    np.testing.assert_array_equal(values[f"mine/{name}"], stored)


def _mapped(path):
  """By variables and pieces of them, for a function that calls them `mine`."""

  def asked(names):
    def fn(images):
      with v1.variable_scope("mine"):
        x = _net(_pooled(images), _PARTITIONERS["fixed"])
      variables = {v.op.name: v for v in v1.global_variables()}
      v1.train.init_from_checkpoint(*names(variables))
      return x

    return fn

  def pieces(variables, name):
    start = f"mine/net/{name}/part_"
    return [v for key, v in variables.items() if key.startswith(start)]

  directory = path.rpartition("/")[0]
  kinds = ("kernel", "table")
  return {
    "scopes": asked(lambda _: (path, {"net/": "mine/net/"})),
    "a_directory": asked(lambda _: (directory, {"net/": "mine/net/"})),
    "variables": asked(
      lambda found: (
        path,
        {f"net/{kind}": pieces(found, kind) for kind in kinds}
        | {"net/scale": found["mine/net/scale"]},
      )
    ),
  }


def test_another_process_computes_with_them(trained, tmp_path):
  """However the function says which value is whose."""
  path, expected = trained
  jobs = {}
  for name, fn in _mapped(path).items():
    spec = hie.make_feature_vector_module(fn, 6, 5)
    spec.export(tmp_path / name)
    jobs[name] = {"path": str(tmp_path / name), "size": (6, 5)}
  found = fresh_process.run("outputs", jobs, str(tmp_path))
  for outputs in found.values():
    # The images there are the first of those here.
    np.testing.assert_allclose(
      outputs["default|default"], expected[:2], rtol=1e-5
    )


def test_a_checkpoint_that_is_not_there():
  def fn(images):
    x = _net(_pooled(images))
    v1.train.init_from_checkpoint("no/such", {"/": "/"})
    return x

  with pytest.raises(SourceError, match="no/such"):
    hie.make_feature_vector_module(fn, 6, 5)
