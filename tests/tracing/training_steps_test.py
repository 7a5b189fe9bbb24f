# SPDX-License-Identifier: Apache-2.0
"""F4: a step of the training variant is the step that the source makes."""

from __future__ import annotations

import numpy as np
import pytest

import hub_image_export as hie
from tests.support import training_steps
from tests.support.consumer import Consumer, random_images
from tests.support.state_sources import SHAPE, SOURCES

_STEPS = 3
# Their gradients are recomputed, which no module can do.
_CUSTOM = {"recomputed"}


@pytest.mark.parametrize("name", SOURCES)
def test_steps_are_those_of_the_source(name):
  source = SOURCES[name]()
  spec = hie.make_feature_vector_module(
    source.fn, *SHAPE[:2], allow_custom_gradients=name in _CUSTOM
  )
  batches = [random_images(4, *SHAPE[:2], seed=i) for i in range(_STEPS)]
  expected = training_steps.of_source(source, spec, batches)
  training_steps.assert_same(training_steps.of_module(spec, batches), expected)
  _assert_one_assignment_each(spec.function.variants[1])
  _assert_outputs_update_nothing(spec, batches[0])


def _assert_one_assignment_each(variant):
  nodes = {node.name: node for node in variant.graph_def.node}
  assigned = [nodes[name].input[0] for name in variant.updates]
  assert len(assigned) == len(set(assigned))
  assert set(assigned) <= set(variant.variables)


def _assert_outputs_update_nothing(spec, images):
  for tags in ((), ("train",)):
    consumer = Consumer(spec, frozenset(tags))
    before = consumer.values()
    consumer.run(consumer.outputs, images)
    for name, value in consumer.values().items():
      np.testing.assert_array_equal(value, before[name], name)
