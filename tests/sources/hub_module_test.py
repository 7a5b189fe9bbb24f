# SPDX-License-Identifier: Apache-2.0
"""Existing TF1 Hub modules as sources: conforming, broken, old."""

from __future__ import annotations

import numpy as np
import pytest

import hub_image_export as hie
from hub_image_export.command_line import (
  export_flags,
  export_module,
  run as command_line,
)
from hub_image_export.tensorflow_api.compat import hub, tf
from hub_image_export.tensorflow_api.runtime import quiet
from tests.support import trained
from tests.support.consumer import Consumer, random_images

v1 = tf.compat.v1
FEATURES, CLASSES = "image_feature_vector", "image_classification"


def broken_module_fn(is_training, partitioned=False):
  """What published modules have wrong, all at once."""
  images = v1.placeholder(tf.float32, [None, 8, 8, 3], name="image")
  parts = v1.fixed_size_partitioner(2) if partitioned else None
  with v1.variable_scope("net", use_resource=False):
    kernel = v1.get_variable(
      "w",
      [3, 3, 3, 4],
      regularizer=lambda w: 1e-3 * tf.nn.l2_loss(w),
      partitioner=parts,
    )
    x = tf.nn.conv2d(images, tf.convert_to_tensor(kernel), 1, "SAME")
    mean = v1.get_variable(
      "mean",
      [4],
      trainable=False,
      initializer=v1.constant_initializer(0.01),
    )
    if is_training:
      batch_mean = tf.reduce_mean(x, [0, 1, 2])
      v1.assign_sub(mean, (mean - batch_mean) * 0.1)  # Not in UPDATE_OPS.
      mean = batch_mean
    x = tf.nn.relu(x - mean, name="relu")
    features = tf.reduce_mean(x, [1, 2])
    logits = tf.linalg.matmul(features, v1.get_variable("k", [4, 3]))
    probabilities = tf.nn.softmax(logits, name="probabilities")
  hub.add_signature("image_feature-vector", {"image": images}, features)
  hub.add_signature("default", {"image": images}, {"probs": probabilities})


def write_broken(directory, **options):
  """Exports such a module; returns what it gives for `images`."""
  with quiet(), tf.Graph().as_default(), v1.Session() as session:
    spec = hub.create_module_spec(
      lambda is_training: broken_module_fn(is_training, **options),
      [(set(), {"is_training": False}), ({"train"}, {"is_training": True})],
    )
    module = hub.Module(spec)
    session.run(v1.global_variables_initializer())
    module.export(str(directory), session)
  return str(directory)


def original(path, images):
  with quiet(), tf.Graph().as_default(), v1.Session() as session:
    module = hub.Module(path)
    outputs = {
      FEATURES: module(images, signature="image_feature-vector"),
      CLASSES: module({"image": images}, as_dict=True)["probs"],
    }
    session.run(v1.global_variables_initializer())
    return session.run(outputs)


IMAGES = random_images(5, 8, 8)


def test_a_misspelt_signature(tmp_path, caplog):
  path = write_broken(tmp_path / "old")
  spec = hie.make_feature_vector_module(hub.load_module_spec(path), 8, 8)
  spec.export(tmp_path / "new", check=True)
  consumer = Consumer(str(tmp_path / "new"))
  found = consumer.run(consumer.outputs[FEATURES]["default"], IMAGES)
  expected = original(path, IMAGES)[FEATURES]
  np.testing.assert_allclose(found, expected, rtol=1e-5)
  assert "'image_feature-vector': taken for" in caplog.text


@pytest.mark.parametrize("partitioned", [False, True])
def test_all_repaired(tmp_path, partitioned, caplog):
  path = write_broken(tmp_path / "old", partitioned=partitioned)
  function = hie.ModuleFunction(
    path,
    {
      CLASSES: "probs",
      FEATURES: "image_feature-vector",
      "relu": "net/relu:0",
    },
  )
  spec = hie.make_image_module(
    function, 8, 8, default_task=CLASSES, arch_name="Net"
  )
  spec.export(tmp_path / "new", check=True)
  assert "1 updates of variables that are not in UPDATE_OPS" in caplog.text
  consumer = Consumer(str(tmp_path / "new"))
  assert set(consumer.outputs[CLASSES]) == {"default", "Net/relu"}
  found = consumer.run(consumer.outputs, IMAGES)
  expected = original(path, IMAGES)
  logits = found["default"]["default"]
  for name, value in (
    (FEATURES, found[FEATURES]["default"]),
    (CLASSES, tf.nn.softmax(logits).numpy()),
  ):
    np.testing.assert_allclose(value, expected[name], rtol=1e-5)
  assert np.abs(logits.sum(-1) - 1).min() > 1e-3
  train = Consumer(str(tmp_path / "new"), frozenset({"train"}))
  before = train.values()
  train.run(train.updates, IMAGES)
  after = train.values()
  moved = {k for k in before if np.any(np.not_equal(before[k], after[k]))}
  assert moved == {"net/mean"}
  penalties = train.collection(v1.GraphKeys.REGULARIZATION_LOSSES)
  kernel = [v for k, v in before.items() if k.startswith("net/w")]
  total = sum(np.sum(np.square(v)) for v in kernel) * 0.5e-3
  assert sum(map(float, train.run(penalties))) == pytest.approx(total, 1e-4)
  trainable = {
    v.op.name.replace("module/", "", 1)
    for v in train.collection("trainable_variables")
  }
  assert trainable == set(before) - {"net/mean"}


def test_a_good_module_stays_what_it_is(tmp_path):
  """Trained weights, both variants, momentum: wrapped twice, the same."""
  first, second = str(tmp_path / "a"), str(tmp_path / "b")
  trained.make_spec(trained.trained(), batch_norm_momentum=True).export(first)
  loaded = hub.load_module_spec(first)
  trained.make_spec(loaded, batch_norm_momentum=True).export(second)
  trained.assert_is_trained(second)
  images = trained.digits().train_images[:16]
  values = []
  for path in (first, second):
    feeds = {"batch_norm_momentum": 0.5}
    consumer = Consumer(path, frozenset({"train"}), feeds=feeds)
    before = consumer.values()
    consumer.run(consumer.collection(v1.GraphKeys.UPDATE_OPS)[-1], images)
    assert any(np.any(before[k] != v) for k, v in consumer.values().items())
    values.append(consumer.values())
  assert set(values[0]) == set(values[1])
  for name, value in values[0].items():
    np.testing.assert_allclose(values[1][name], value, rtol=1e-5, atol=1e-6)


def test_a_spec_that_is_not_on_disk():
  spec = trained.make_spec(trained.make_spec(trained.trained()))
  trained.assert_is_trained(spec)


def test_inside_of_a_function(tmp_path):
  """For what no argument can say: other preprocessing, other pooling."""
  path = write_broken(tmp_path / "old")
  module = hie.ModuleFunction(path, {"map": "net/relu"})

  def fn(images, is_training=False):
    return tf.reduce_max(module(2 * images, is_training)["map"], [1, 2])

  spec = hie.make_feature_vector_module(fn, 8, 8)
  spec.export(tmp_path / "new")
  tags = {frozenset(t) for t in spec.get_tags()}
  assert tags == {frozenset(), frozenset({"train"})}


def test_outputs_that_do_not_exist(tmp_path):
  path = write_broken(tmp_path / "old")
  with pytest.raises(ValueError, match="Did you mean .*'net/relu'"):
    hie.ModuleFunction(path, {"default": "net/rely"})


def test_a_size_that_does_not_fit(tmp_path):
  path = write_broken(tmp_path / "old")
  with pytest.raises(hie.ImageExportError, match="cannot be used on images"):
    hie.make_feature_vector_module(hub.load_module_spec(path), 9, 9)


def test_from_the_command_line(tmp_path):
  trained.make_spec(trained.trained()).export(tmp_path / "a")
  code = command_line.run(
    export_module.main,
    export_flags.FLAGS,
    export_module.__doc__,
    [
      "export_module",
      f"--model={tmp_path}/a",
      "--task=classification",
      f"--export_path={tmp_path}/b",
      "--nocheck",
    ],
  )
  assert code == 0
  trained.assert_is_trained(str(tmp_path / "b"))
