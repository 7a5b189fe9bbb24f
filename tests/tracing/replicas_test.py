# SPDX-License-Identifier: Apache-2.0
"""One variable, however many replicas a distribution strategy keeps."""

from __future__ import annotations

import pytest

import hub_image_export as hie
from hub_image_export.tensorflow_api.compat import tf
from tests.support import (
  state_functions,
  state_layers,
  state_modules,
  state_replicas,
  training_steps,
)
from tests.support.consumer import random_images
from tests.support.keras_sources import SHAPE

pytestmark = pytest.mark.skipif(
  not state_replicas.SOURCES,
  reason="There is one device: an op ran before. Run this file alone.",
)


def _strategy():
  return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


@pytest.mark.parametrize(
  "make",
  [
    state_layers.shared_batch_norm,
    state_modules.read_before_and_after,
    state_functions.tf1_update_in_cond,
  ],
)
def test_models_may_be_made_and_exported_within_a_scope(make, tmp_path):
  path = str(tmp_path / "module")
  with _strategy().scope():
    source = make()
    spec = hie.make_feature_vector_module(source.fn, *SHAPE[:2])
    spec.export(path)
  names = [variable.name for variable in spec.function.variables]
  assert not [name for name in names if "replica" in name]
  batches = [random_images(4, *SHAPE[:2], seed=i) for i in range(2)]
  expected = training_steps.of_source(source, spec, batches)
  training_steps.assert_same(training_steps.of_module(path, batches), expected)


def test_replicas_that_differ_are_refused(tmp_path):
  """Averages that each replica keeps for itself, as SyncOnRead ones do."""
  with _strategy().scope():
    mean = tf.Variable(
      tf.ones([3]),
      trainable=False,
      synchronization=tf.VariableSynchronization.ON_READ,
      aggregation=tf.VariableAggregation.MEAN,
      name="mean",
    )
  mean.values[1].assign([3.0, 3.0, 3.0])

  def fn(images):
    return tf.reduce_mean(images, [1, 2]) + mean

  with pytest.raises(ValueError, match="replicas of the variable 'mean"):
    hie.make_feature_vector_module(fn, 4, 4)
  with mean.distribute_strategy.scope():
    mean.assign(mean.read_value())
  spec = hie.make_feature_vector_module(fn, 4, 4)
  (variable,) = spec.function.variables
  assert variable.read().numpy().tolist() == [2.0, 2.0, 2.0]
  mean.values[1].assign([3.0, 3.0, 3.0])  # Training goes on.
  with pytest.raises(ValueError, match="replicas of the variable 'mean"):
    spec.export(tmp_path / "module", verify=False)
