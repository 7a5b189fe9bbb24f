# SPDX-License-Identifier: Apache-2.0
"""F3: variables have the checkpoint's values, and no others, to begin with."""

from __future__ import annotations

import numpy as np
import pytest

from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import SavedModel
from hub_image_export.tensorflow_api.runtime import quiet
from tests.support import models
from tests.support.consumer import Consumer

v1 = tf.compat.v1
A_FEW = models.WITH_VARIABLES[:3]


@pytest.mark.parametrize("model", models.WITH_VARIABLES, ids=str)
def test_initializers_do_not_undo_what_a_loader_restored(model, exports):
  path = exports(model).path
  saved = tf.train.load_checkpoint(f"{path}/variables/variables")
  for tags in model.variants:
    with quiet(), tf.Graph().as_default(), v1.Session() as session:
      v1.saved_model.loader.load(session, sorted(tags), path)
      session.run(v1.global_variables_initializer())
      variables = {v.op.name: v for v in v1.global_variables()}
      found = session.run(variables)
    assert set(found) == set(saved.get_variable_to_shape_map())
    for name, value in found.items():
      np.testing.assert_array_equal(value, saved.get_tensor(name))


@pytest.mark.parametrize("model", A_FEW, ids=str)
def test_a_graph_alone_has_no_values(model, exports):
  """Better than zeros, which would go unnoticed."""
  with open(f"{exports(model).path}/saved_model.pb", "rb") as file:
    saved = SavedModel.FromString(file.read())
  with quiet(), tf.Graph().as_default(), v1.Session() as session:
    v1.train.import_meta_graph(saved.meta_graphs[0])
    session.run(v1.global_variables_initializer())
    for variable in v1.global_variables():
      with pytest.raises(tf.errors.FailedPreconditionError):
        session.run(variable)


@pytest.mark.parametrize("model", A_FEW, ids=str)
def test_moving_averages_start_at_the_values(model, exports):
  """They ask variables for the values that these are initialized with."""
  consumer = Consumer(exports(model).path, trainable=True)
  averages = v1.train.ExponentialMovingAverage(0.9)
  variables = consumer.collection("trainable_variables")
  with consumer.graph.as_default():
    averages.apply(variables)
    initialize = v1.global_variables_initializer()
  assert variables
  consumer.run(initialize)
  for variable in variables:
    value, average = consumer.run([variable, averages.average(variable)])
    np.testing.assert_array_equal(value, average)
