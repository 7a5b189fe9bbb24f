# SPDX-License-Identifier: Apache-2.0
"""A TF1 network as people had them: a session, Adam, moving averages.

It is trained on the digits and exported from its checkpoint, which also has
the optimizer's slots and a step.
"""

from __future__ import annotations

import numpy as np
import pytest

from hub_image_export.errors import WeightsError
from hub_image_export.tensorflow_api.compat import tf
from tests.support import trained
from tests.support.consumer import Consumer

v1 = tf.compat.v1
SCOPE = "TinyNet"


def _conv(x, filters, name, is_training):
  with v1.variable_scope(name):
    shape = [3, 3, x.shape[-1], filters]
    weights = v1.get_variable("weights", shape)
    x = tf.nn.conv2d(x, weights, 2, "SAME")
    with v1.variable_scope("BatchNorm"):
      beta = v1.get_variable(
        "beta", [filters], initializer=v1.zeros_initializer()
      )
      mean = v1.get_variable(
        "moving_mean",
        [filters],
        trainable=False,
        initializer=v1.zeros_initializer(),
      )
      variance = v1.get_variable(
        "moving_variance",
        [filters],
        trainable=False,
        initializer=v1.ones_initializer(),
      )
    if is_training:
      found = tf.nn.moments(x, [0, 1, 2])
      for old, new in zip((mean, variance), found):
        update = v1.assign_sub(old, (old - new) * 0.1)
        v1.add_to_collection(v1.GraphKeys.UPDATE_OPS, update)
      mean, variance = found
    x = tf.nn.batch_normalization(x, mean, variance, beta, None, 1e-3)
    return tf.nn.relu(x)


def network(images, is_training=False):
  x = _conv(images, 16, "conv1", is_training)
  x = _conv(x, 32, "conv2", is_training)
  x = tf.reduce_mean(_conv(x, 64, "conv3", is_training), [1, 2])
  weights = v1.get_variable("logits/weights", [64, 10])
  biases = v1.get_variable("logits/biases", [10])
  return tf.linalg.matmul(x, weights) + biases


def scoped_network(images, is_training=False):
  with v1.variable_scope(SCOPE, reuse=v1.AUTO_REUSE):
    return network(images, is_training)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
  """The training's directory, and test scores without and with averages."""
  directory = str(tmp_path_factory.mktemp("train"))
  digits = trained.digits()
  with tf.Graph().as_default(), v1.Session() as session:
    v1.set_random_seed(1)
    images = v1.placeholder(tf.float32, [None, trained.SIZE, trained.SIZE, 3])
    labels = v1.placeholder(tf.int64, [None])
    logits = scoped_network(images, is_training=True)
    scores = scoped_network(images, is_training=False)
    loss = v1.losses.sparse_softmax_cross_entropy(labels, logits)
    step = v1.train.get_or_create_global_step()
    updates = v1.get_collection(v1.GraphKeys.UPDATE_OPS)
    average = tf.train.ExponentialMovingAverage(0.95)
    with v1.control_dependencies(updates):
      train = v1.train.AdamOptimizer(5e-3).minimize(loss, step)
    with v1.control_dependencies([train]):
      train = average.apply(v1.trainable_variables())
    session.run(v1.global_variables_initializer())
    random = np.random.RandomState(0)
    for _ in range(400):
      rows = random.choice(len(digits.train_labels), 64)
      feeds = {
        images: digits.train_images[rows],
        labels: digits.train_labels[rows],
      }
      session.run(train, feeds)
    v1.train.Saver().save(session, f"{directory}/model.ckpt", step)
    feeds = {images: digits.test_images}
    plain = session.run(scores, feeds)
    saver = v1.train.Saver(average.variables_to_restore())
    saver.restore(session, tf.train.latest_checkpoint(directory))
    return directory, plain, session.run(scores, feeds)


def scores_of(path):
  consumer = Consumer(path)
  return consumer.run(
    consumer.outputs["default"]["default"], trained.digits().test_images
  )


def accuracy(scores):
  return np.mean(np.argmax(scores, -1) == trained.digits().test_labels)


@pytest.mark.parametrize("ema", [False, True])
def test_from_a_training_directory(run, tmp_path, ema, caplog):
  directory, *scores = run
  expected = scores[ema]
  path = str(tmp_path / "module")
  trained.make_spec(scoped_network).export(
    path, directory, ema=ema, strict=ema, verify=True
  )
  found = scores_of(path)
  np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
  assert accuracy(found) == accuracy(expected) > 0.85
  assert "values that no variable" not in caplog.text


def test_averages_make_a_difference(run):
  assert np.abs(run[1] - run[2]).max() > 1e-2


def test_by_a_prefix(run, tmp_path):
  directory, _, expected = run
  spec = trained.make_spec(network)
  with pytest.raises(WeightsError, match="conv1/weights is missing"):
    spec.with_weights(directory)
  path = str(tmp_path / "module")
  spec.export(path, directory, checkpoint_prefix=SCOPE, ema=True)
  np.testing.assert_allclose(scores_of(path), expected, rtol=1e-4, atol=1e-4)


def test_by_a_function_as_in_hub(run, tmp_path):
  directory, expected, _ = run
  path = str(tmp_path / "module")
  trained.make_spec(network).export(
    path, directory, lambda name: f"{SCOPE}/{name}"
  )
  np.testing.assert_allclose(scores_of(path), expected, rtol=1e-4, atol=1e-4)
