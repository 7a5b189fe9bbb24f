# SPDX-License-Identifier: Apache-2.0
"""C1, C9, C11: named signatures, and the default one for the primary task."""

from __future__ import annotations

import numpy as np


def test_signatures_are_the_tasks_and_the_default(exported):
  for tags in exported.model.variants:
    consumer = exported.consumer(tags)
    assert set(consumer.outputs) == {"default", *exported.model.width}


def test_default_gives_what_the_primary_task_gives(exported):
  consumer = exported.consumer()
  outputs = consumer.run(consumer.outputs, exported.images())
  default, named = outputs["default"], outputs[exported.model.default_task]
  assert sorted(default) == sorted(named)
  for key, value in default.items():
    np.testing.assert_array_equal(value, named[key])


def test_default_works_without_any_names(exported):
  consumer = exported.consumer()
  with consumer.graph.as_default():
    output = consumer.module(exported.images(3))
  width = exported.model.width[exported.model.default_task]
  assert consumer.run(output).shape == (3, width)
