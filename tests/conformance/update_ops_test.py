# SPDX-License-Identifier: Apache-2.0
"""F4: UPDATE_OPS moves the moving averages, and nothing else does."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support import models

# A function that makes its variables anew has no state to compare with.
COMPARABLE = [m for m in models.TRAINING if m.name != "builds_keras_layers"]


@pytest.mark.parametrize("model", models.TRAINING, ids=str)
def test_there_is_one_update_for_each_moving_average(model, exports):
  exported = exports(model)
  assert exported.consumer().updates == []
  consumer = exported.consumer({"train"})
  assert len(consumer.updates) == model.updates


def test_outputs_alone_update_nothing(exported):
  for tags in exported.model.variants:
    consumer = exported.consumer(tags)
    before = consumer.values()
    consumer.run(consumer.outputs, exported.images(4))
    for name, value in consumer.values().items():
      np.testing.assert_array_equal(value, before[name], err_msg=name)


@pytest.mark.parametrize("model", COMPARABLE, ids=str)
def test_updates_do_what_a_step_at_the_source_does(model, exports):
  exported = exports(model)
  images = exported.images(4)
  expected = exported.live.after_a_step(images)
  consumer = exported.consumer({"train"})
  before = consumer.values()
  consumer.run(consumer.updates, images)
  after = consumer.values()
  changed = {n for n in after if not np.array_equal(after[n], before[n])}
  assert len(changed) == model.updates
  tolerance = 1e-3 if model.name == "mixed_float16" else 1e-5
  for name, value in after.items():
    np.testing.assert_allclose(
      value, expected[name], rtol=tolerance, atol=1e-6, err_msg=name
    )


def test_updates_of_a_function_that_makes_its_layers(exports):
  exported = exports(models.by_name("builds_keras_layers"))
  consumer = exported.consumer({"train"})
  before = consumer.values()
  consumer.run(consumer.updates, exported.images(4))
  after = consumer.values()
  changed = {n for n in after if not np.array_equal(after[n], before[n])}
  assert {name.rpartition("/")[2] for name in changed} == {
    "moving_mean",
    "moving_variance",
  }
