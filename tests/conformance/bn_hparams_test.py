# SPDX-License-Identifier: Apache-2.0
"""H1: batch norm momentum as an input, by the formula of moving averages."""

from __future__ import annotations

import numpy as np
import pytest

from hub_image_export.tensorflow_api.compat import hub, tf
from hub_image_export.tensorflow_api.runtime import quiet
from tests.support import function_sources, models
from tests.support.consumer import UPDATE_OPS, Consumer

KERAS = ["functional", "sequential", "frozen", "subclassed", "closure"]
KERAS += ["mixed_float16", "softmax", "feature_layer"]
KERAS += ["tf_keras"] if any(m.name == "tf_keras" for m in models.ALL) else []
# Their decays are found in the graph.
PLAIN = ["tf1", "tf1_layers", "tf_module", "nested_function"]
PLAIN += ["two_tasks", "saved_module", "builds_keras_layers"]
PLAIN = [m.name for m in models.ALL if m.name in PLAIN]
SUFFIX = "_with_bn_hparams"


class _NetWithMomentum(function_sources.Net):
  """A function that takes the momentum itself."""

  def __call__(self, images, is_training=False, batch_norm_momentum=0.5):
    x = tf.nn.conv2d(images, self.kernel, 2, "SAME")
    mean, variance = self.mean, self.variance
    if is_training:
      batch_mean, batch_variance = tf.nn.moments(x, [0, 1, 2])
      keep = batch_norm_momentum
      mean.assign(keep * mean + (1 - keep) * batch_mean)
      variance.assign(keep * variance + (1 - keep) * batch_variance)
      mean, variance = batch_mean, batch_variance
    x = tf.nn.batch_normalization(x, mean, variance, None, None, 1e-3)
    return tf.reduce_mean(x, [1, 2])


@pytest.fixture(scope="module")
def specs(tmp_path_factory):
  """A function from a source's name to its spec and its model."""
  known = {}

  def get(name):
    if name not in known:
      if name == "function":
        model = models.by_name("tf_module")
        fn = _NetWithMomentum()
      else:
        model = models.by_name(name)
        fn = model.make_source(str(tmp_path_factory.mktemp("s"))).fn
      known[name] = model, model.build(fn, batch_norm_momentum=True)
    return known[name]

  return get


@pytest.mark.parametrize("name", [*KERAS, *PLAIN, "function"])
def test_signatures(name, specs):
  model, spec = specs(name)
  tasks = list(model.width)
  expected = {"default", *tasks, *(task + SUFFIX for task in tasks)}
  for tags in spec.get_tags():
    assert set(spec.get_signature_names(tags)) == expected
    for signature in expected:
      inputs = spec.get_input_info_dict(signature, tags)
      wanted = {"images"}
      if signature.endswith(SUFFIX):
        wanted.add("batch_norm_momentum")
        info = inputs["batch_norm_momentum"]
        assert info.dtype == tf.float32
        assert info.get_shape().rank == 0
      assert set(inputs) == wanted


@pytest.mark.parametrize("name", [*KERAS, *PLAIN, "function"])
def test_moving_averages_follow_the_formula(name, specs):
  """new = momentum · old + (1 − momentum) · batch; 0.99 where none is given."""
  model, spec = specs(name)
  images = np.random.RandomState(0).uniform(size=(4, 12, 10, 3))
  task = model.default_task
  changes = {
    momentum: _change(spec, task + SUFFIX, images, momentum)
    for momentum in (0.0, 0.5, 0.99)
  }
  changes[None] = _change(spec, task, images)
  # With momentum 0 the average is the batch's: old + 1 · (batch − old).
  full = changes[0.0]
  assert len(full) == 2
  tolerance = 2e-3 if name == "mixed_float16" else 1e-4
  for momentum, factor in ((0.5, 0.5), (0.99, 0.01), (None, 0.01)):
    assert changes[momentum].keys() == full.keys()
    for key, change in changes[momentum].items():
      scale = np.max(np.abs(full[key]))
      np.testing.assert_allclose(
        change,
        factor * full[key],
        rtol=0,
        atol=tolerance * scale * factor + 1e-6,
      )


def _change(spec, signature, images, momentum=None):
  """By how much UPDATE_OPS of one signature changes variables."""
  graph = tf.Graph()
  with graph.as_default(), quiet(), tf.compat.v1.Session() as session:
    module = hub.Module(spec, trainable=True, tags={"train"})
    inputs = {"images": tf.constant(images, tf.float32)}
    if momentum is not None:
      inputs["batch_norm_momentum"] = momentum
    module(inputs, signature=signature)
    session.run(tf.compat.v1.global_variables_initializer())
    before = session.run(module.variable_map)
    session.run(graph.get_collection(UPDATE_OPS))
    after = session.run(module.variable_map)
  return {
    name: after[name] - value
    for name, value in before.items()
    if not np.array_equal(after[name], value)
  }


def test_momentum_changes_nothing_in_inference(specs):
  model, spec = specs("sequential")
  outputs = []
  images = np.random.RandomState(0).uniform(size=(2, 12, 10, 3))
  for momentum in (0.0, 0.9):
    consumer = Consumer(spec, feeds={"batch_norm_momentum": momentum})
    signature = model.default_task + SUFFIX
    outputs.append(consumer.run(consumer.outputs[signature], images)["default"])
  np.testing.assert_array_equal(*outputs)


def test_the_layers_keep_their_own_momentum():
  source = models.by_name("sequential").make()
  bn = source.owner.get_layer("bn")
  models.by_name("sequential").build(source.fn, batch_norm_momentum=True)
  assert bn.momentum == pytest.approx(0.9)
