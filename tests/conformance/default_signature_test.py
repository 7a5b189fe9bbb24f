"""C1, C9, C11: named signatures, and the default one for the primary task."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support import models


@pytest.mark.parametrize("model", models.ALL, ids=str)
def test_signatures_are_the_tasks_and_the_default(model, exports):
  for tags in model.variants:
    consumer = exports(model).consumer(tags)
    assert set(consumer.outputs) == {"default", *model.width}


@pytest.mark.parametrize("model", models.ALL, ids=str)
def test_default_gives_what_the_primary_task_gives(model, exports):
  exported = exports(model)
  consumer = exported.consumer()
  outputs = consumer.run(consumer.outputs, exported.images())
  default, named = outputs["default"], outputs[model.default_task]
  assert sorted(default) == sorted(named)
  for key, value in default.items():
    np.testing.assert_array_equal(value, named[key])


@pytest.mark.parametrize("model", models.ALL, ids=str)
def test_default_works_without_any_names(model, exports):
  exported = exports(model)
  consumer = exported.consumer()
  with consumer.graph.as_default():
    output = consumer.module(exported.images(3))
  width = model.width[model.default_task]
  assert consumer.run(output).shape == (3, width)
