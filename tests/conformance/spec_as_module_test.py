# SPDX-License-Identifier: Apache-2.0
"""`hub.Module(spec)` computes with real weights, trains, and exports."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from hub_image_export.tensorflow_api.compat import hub, tf
from hub_image_export.tensorflow_api.runtime import quiet
from tests.support import models
from tests.support.consumer import Consumer

v1 = tf.compat.v1


def test_it_is_a_spec_with_the_sources_weights(exported):
  assert isinstance(exported.spec, hub.ModuleSpec)
  for tags in exported.model.variants:
    of_spec = Consumer(exported.spec, tags).values()
    of_file = exported.consumer(tags).values()
    assert of_spec.keys() == of_file.keys()
    for name, value in of_file.items():
      np.testing.assert_array_equal(of_spec[name], value)


@pytest.mark.parametrize(
  "name", ["functional", "tf1", "two_tasks", "saved_module", "mixed_float16"]
)
def test_training_it_and_exporting_it_again(name, exports, tmp_path):
  model = models.by_name(name)
  exported = exports(model)
  with tf.Graph().as_default(), quiet(), v1.Session() as session:
    module = hub.Module(exported.spec, trainable=True, tags={"train"})
    # A target within reach: half of what the module gives.
    output = module(exported.images(4))
    start = v1.get_variable("start", output.shape, trainable=False)
    penalty = tf.add_n([0.0, *v1.losses.get_regularization_losses()])
    loss = tf.reduce_mean((output - 0.5 * start) ** 2) + penalty
    updates = v1.get_collection(v1.GraphKeys.UPDATE_OPS)
    with tf.control_dependencies(updates):
      train = v1.train.GradientDescentOptimizer(0.01).minimize(loss)
    session.run(v1.global_variables_initializer())
    start.load(session.run(output), session)
    before = session.run(loss)
    for _ in range(20):
      session.run(train)
    assert session.run(loss) < before
    module.export(str(tmp_path / "tuned"), session)
    tuned = session.run(module.variable_map)
  again = Consumer(str(tmp_path / "tuned"))
  for variable, value in again.values().items():
    np.testing.assert_array_equal(value, tuned[variable])
  assert set(again.outputs) == {"default", *model.width}
  original = exported.consumer().values()
  moved = [k for k, v in tuned.items() if np.any(v != original[k])]
  assert len(moved) >= model.updates + 1


def test_two_modules_in_one_graph(exports):
  """Their functions and variables do not clash."""
  names = ("control_flow", "tf_module", "nested_function")
  with tf.Graph().as_default(), quiet(), v1.Session() as session:
    outputs = {}
    for name in names:
      exported = exports(models.by_name(name))
      outputs[name] = [
        hub.Module(module)(exported.images())
        for module in (exported.spec, exported.path)
      ]
    session.run(v1.global_variables_initializer())
    for first, second in session.run(outputs).values():
      np.testing.assert_array_equal(first, second)


def test_the_graph_outlives_the_spec():
  """Consumers initialize variables later, maybe with no spec at hand."""
  model = models.by_name("tf_module")
  source = model.make()
  with tf.Graph().as_default(), quiet(), v1.Session() as session:
    output = hub.Module(model.build(source.fn))(tf.ones([1, 12, 10, 3]))
    gc.collect()
    session.run(v1.global_variables_initializer())
    found = session.run(output)
  np.testing.assert_allclose(found, source.fn(tf.ones([1, 12, 10, 3])), 1e-5)


def test_weights_are_those_at_the_time_of_use():
  """The source may go on training after the builder was called."""
  model = models.by_name("tf_module")
  source = model.make()
  spec = model.build(source.fn)
  source.owner.kernel.assign(2.0 * source.owner.kernel)
  values = Consumer(spec).values()
  np.testing.assert_array_equal(values["net/kernel"], source.owner.kernel)
