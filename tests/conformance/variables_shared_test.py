# SPDX-License-Identifier: Apache-2.0
"""F3: all variants have the same variables, and the checkpoint has them."""

from __future__ import annotations

import os

import numpy as np
import pytest

from hub_image_export.tensorflow_api.compat import tf
from tests.support import models
from tests.support.consumer import Consumer

# Some sources give no name of their own to the variables.
NAMED = [
  m
  for m in models.WITH_VARIABLES
  if m.name not in ("exported_by_keras", "builds_keras_layers")
]


@pytest.mark.parametrize("model", models.WITH_VARIABLES, ids=str)
def test_the_checkpoint_covers_every_variant(model, exports):
  exported = exports(model)
  saved = dict(tf.train.list_variables(f"{exported.path}/variables/variables"))
  for tags in model.variants:
    variables = exported.consumer(tags).variables
    shapes = {name: v.shape.as_list() for name, v in variables.items()}
    assert shapes == saved


@pytest.mark.parametrize("model", NAMED, ids=str)
def test_names_and_values_are_those_of_the_source(model, exports):
  exported = exports(model)
  expected = exported.live.values()
  found = exported.consumer().values()
  assert set(found) <= set(expected)
  for name, value in found.items():
    np.testing.assert_array_equal(value, expected[name], err_msg=name)


@pytest.mark.parametrize("model", NAMED, ids=str)
def test_trainable_variables_are_those_of_the_source(model, exports):
  exported = exports(model)
  expected = exported.live.trainable_names()
  for tags in model.variants:
    consumer = Consumer(exported.path, tags, trainable=True)
    trainable = consumer.collection("trainable_variables")
    names = {v.name for v in trainable}
    variables = consumer.variables.items()
    found = {name for name, v in variables if v.name in names}
    assert found == expected & set(consumer.variables)


def test_a_module_without_variables_has_no_checkpoint(exports):
  exported = exports(models.by_name("no_variables"))
  assert not os.path.exists(f"{exported.path}/variables/variables.index")
  assert exported.consumer().variables == {}
