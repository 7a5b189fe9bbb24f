# SPDX-License-Identifier: Apache-2.0
"""Graphs of TF1's training programs: in functions, and as `--model`."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest

import hub_image_export as hie
from hub_image_export.command_line import (
  export_flags,
  export_module,
  run as command_line,
)
from hub_image_export.errors import WeightsError
from hub_image_export.sources import meta_graphs
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.untrusted import saved_models
from tests.support import meta_graph_program
from tests.support.consumer import Consumer, random_images

pytestmark = pytest.mark.slow

v1 = tf.compat.v1
_IMAGES = random_images(4, 6, 5)
_TRAIN = frozenset({"train"})
_PROGRAM = str(pathlib.Path(meta_graph_program.__file__))


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
  """A function from a mode to its directory, and what its session gave."""
  known = {}

  def get(mode, python=sys.executable):
    if (mode, python) not in known:
      directory = tmp_path_factory.mktemp(mode)
      np.save(directory / "images.npy", _IMAGES)
      environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
      subprocess.run(
        [python, _PROGRAM, str(directory), mode],
        check=True,
        capture_output=True,
        env=environment,
      )
      known[mode, python] = directory, dict(np.load(directory / "expected.npz"))
    return known[mode, python]

  return get


def _network(path, scope=None):
  """Finds its output as programs do: by name, or in a collection."""

  def fn(images, is_training=False):
    graph = v1.get_default_graph()
    inputs = {"images:0": images}
    if "switch" in str(path):
      inputs["is_training:0"] = tf.constant(is_training, name="phase")
    v1.train.import_meta_graph(
      f"{path}/model.ckpt.meta", input_map=inputs, import_scope=scope
    )
    name = (scope + "/" if scope else "") + "net/logits:0"
    logits = graph.get_tensor_by_name(name)
    assert v1.get_collection("endpoints")[0] is logits
    if "resources" not in str(path):  # A reference variable is its value.
      gamma = graph.get_tensor_by_name(name.replace("/logits", "/gamma"))
      assert gamma.dtype.base_dtype == tf.float32
    return logits

  return fn


def _outputs(path, tags=frozenset()):
  consumer = Consumer(str(path), tags)
  return consumer.run(consumer.outputs["default"], _IMAGES)["default"]


def _assert_near(found, expected):
  np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("scope", [None, "mine"])
@pytest.mark.parametrize("mode", ["inference", "resources", "parts"])
def test_in_a_function(mode, scope, programs, tmp_path):
  directory, expected = programs(mode)
  spec = hie.make_feature_vector_module(_network(directory, scope), 6, 5)
  spec.export(tmp_path / "m", check=True)
  _assert_near(_outputs(tmp_path / "m"), expected["False"])
  assert len(spec.get_tags()) == 1
  names = {v.name for v in spec.function.variables}
  assert not any("Adam" in name or "step" in name for name in names)


def test_both_variants(programs, tmp_path):
  directory, expected = programs("switch")
  spec = hie.make_feature_vector_module(_network(directory), 6, 5)
  spec.export(tmp_path / "m", check=True)
  _assert_near(_outputs(tmp_path / "m"), expected["False"])
  _assert_near(_outputs(tmp_path / "m", _TRAIN), expected["True"])
  consumer = Consumer(str(tmp_path / "m"), _TRAIN)
  consumer.run(consumer.updates, _IMAGES)
  _assert_near(consumer.values()["net/moving_mean"], expected["mean"])
  assert len(consumer.collection("regularization_losses")) == 1


def test_a_checkpoint_that_is_elsewhere(programs, tmp_path):
  directory, expected = programs("inference")
  alone = tmp_path / "alone"
  alone.mkdir()
  shutil.copy(directory / "model.ckpt.meta", alone)
  spec = hie.make_feature_vector_module(_network(alone), 6, 5)
  for verify in (True, False):
    with pytest.raises(WeightsError, match="meta graph.*checkpoint_path"):
      spec.export(tmp_path / "m", verify=verify)
  spec.export(tmp_path / "m", checkpoint_path=directory / "model.ckpt")
  _assert_near(_outputs(tmp_path / "m"), expected["False"])


def test_another_checkpoint_counts(programs, tmp_path):
  directory, expected = programs("inference")
  spec = hie.make_feature_vector_module(_network(directory), 6, 5)
  values = {v.name: v.read().numpy() for v in spec.function.variables}
  values["net/logits/weights"] *= 2.0
  np.savez(tmp_path / "w.npz", **values)
  spec.export(tmp_path / "m", checkpoint_path=tmp_path / "w.npz")
  _assert_near(_outputs(tmp_path / "m"), 2.0 * expected["False"])


def test_part_of_a_function(programs, tmp_path):
  """Its own variables, and a new head."""
  directory, expected = programs("inference")
  network = _network(directory)

  def fn(images):
    head = v1.get_variable("head", initializer=np.eye(3, dtype=np.float32))
    return tf.matmul(network(images), 3.0 * head)

  hie.make_feature_vector_module(fn, 6, 5).export(tmp_path / "m")
  _assert_near(_outputs(tmp_path / "m"), 3.0 * expected["False"])


@pytest.mark.skipif("HIE_TF115_PYTHON" not in os.environ, reason="TF 1.15")
@pytest.mark.parametrize("mode", ["switch", "training"])
def test_written_by_tensorflow_1(mode, programs, tmp_path):
  directory, expected = programs(mode, os.environ["HIE_TF115_PYTHON"])
  spec = hie.make_feature_vector_module(_network(directory), 6, 5)
  spec.export(tmp_path / "m")
  _assert_near(_outputs(tmp_path / "m"), expected["False"])


@pytest.fixture
def run(tmp_path, capsys):
  def run_script(*arguments):
    code = command_line.run(
      export_module.main,
      export_flags.FLAGS,
      export_module.__doc__,
      ["export_module", f"--export_path={tmp_path / 'm'}", *arguments],
    )
    return code, capsys.readouterr().err

  return run_script


@pytest.mark.parametrize("mode", ["inference", "switch"])
def test_as_a_model(mode, programs, run, tmp_path):
  directory, expected = programs(mode)
  code, err = run(
    f"--model={directory}/model.ckpt.meta", "--output=net/logits:0"
  )
  assert code == 0, err
  _assert_near(_outputs(tmp_path / "m"), expected["False"])
  if mode == "switch":
    _assert_near(_outputs(tmp_path / "m", _TRAIN), expected["True"])


def test_names_that_preprocessing_has_taken(programs, run, tmp_path):
  """The graph has a node "mul", too."""
  directory, _ = programs("inference")
  code, err = run(
    f"--model={directory}/model.ckpt.meta",
    *("--output=net/logits", "--preprocess=tf"),
  )
  assert code == 0, err
  spec = hie.make_feature_vector_module(
    _network(directory),
    6,
    5,
    preprocess=lambda x: tf.subtract(tf.add(x, x, name="a"), 1.0, name="b"),
  )
  spec.export(tmp_path / "other")
  _assert_near(_outputs(tmp_path / "m"), _outputs(tmp_path / "other"))


@pytest.mark.parametrize(
  "arguments, words",
  [
    ([], ("output is missing", "logits")),
    (["--output=net/logit"], ("net/logit'", "net/logits")),
    (["--output=net/logits", "--images=image"], ("image'", "images")),
    (
      ["--output=net/logits", "--images=global_step"],
      ("does not depend", "images"),
    ),
  ],
)
def test_names_that_are_not_there(arguments, words, programs, run):
  directory, _ = programs("inference")
  code, err = run(f"--model={directory}/model.ckpt.meta", *arguments)
  assert code == 1
  assert all(word in err for word in words), err


def test_a_damaged_meta_graph(run, tmp_path):
  (tmp_path / "model.ckpt.meta").write_bytes(b"\x00damaged")
  code, err = run(f"--model={tmp_path}/model.ckpt.meta", "--output=a")
  assert code == 1
  assert "no meta graph that can be read" in err


@pytest.mark.parametrize("limit", ["MAX_BYTES", "_MAX_TEXT_BYTES"])
def test_a_large_meta_graph_is_not_read(limit, programs, monkeypatch, tmp_path):
  path = tmp_path / "model.ckpt.meta"
  shutil.copy(programs("inference")[0] / "model.ckpt.meta", path)
  if limit == "_MAX_TEXT_BYTES":
    path.write_text(str(meta_graphs.read(str(path))))
  assert meta_graphs.read(str(path)).graph_def.node
  size = path.stat().st_size
  monkeypatch.setattr(saved_models, limit, size - 1)
  monkeypatch.setattr(saved_models, "_MAX_TEXT_BYTES", size - 1)
  with pytest.raises(ValueError, match="no meta graph that can be read"):
    meta_graphs.read(str(path))


def test_constants_larger_than_their_file_are_refused(run, tmp_path):
  with tf.Graph().as_default() as graph:
    x = v1.placeholder(tf.float32, [None, 6, 5, 3], name="x")
    tf.identity(tf.reduce_mean(x, [1, 2]) + tf.constant(0.0, name="c"), "y")
    meta_graph = v1.train.export_meta_graph()
  del graph
  (constant,) = [n for n in meta_graph.graph_def.node if n.name == "c"]
  shape = constant.attr["value"].tensor.tensor_shape
  for size in (2**20, 2**10):
    shape.dim.add(size=size)
  path = tmp_path / "model.ckpt.meta"
  path.write_bytes(meta_graph.SerializeToString())
  code, err = run(f"--model={path}", "--output=y")
  assert code == 1
  assert "constants of 4294967" in err


def test_a_graph_that_reads_files_is_refused(run, tmp_path):
  with tf.Graph().as_default():
    x = v1.placeholder(tf.float32, [None, 6, 5, 3], name="x")
    size = tf.strings.length(tf.io.read_file("/etc/hostname"))
    tf.identity(tf.reduce_mean(x, [1, 2]) + tf.cast(size, tf.float32), "y")
    v1.train.export_meta_graph(str(tmp_path / "model.ckpt.meta"))
  code, err = run(f"--model={tmp_path}/model.ckpt.meta", "--output=y")
  assert code == 1
  assert "ReadFile" in err
