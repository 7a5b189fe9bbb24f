# SPDX-License-Identifier: Apache-2.0
"""A module computes what its source computes, called by its author."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support import models


@pytest.mark.parametrize("count", [1, 3])
def test_inference(exported, count):
  images = exported.images(count)
  expected = exported.live.outputs(images)
  consumer = exported.consumer()
  for task in exported.model.width:
    found = consumer.run(consumer.outputs[task], images)
    wanted = {"default": expected[task]}
    for key in exported.model.endpoints:
      wanted[key] = expected[key.removeprefix("Tiny/")]
    _assert_same(found, wanted, exported.model)


@pytest.mark.parametrize(
  "model", [m for m in models.TRAINING if not m.is_random], ids=str
)
def test_training(model, exports):
  """Batch norm takes its statistics from the batch."""
  exported = exports(model)
  images = exported.images(4)
  before = exported.live.values()
  expected = exported.live.outputs(images, training=True)
  if exported.source.call:
    exported.live.restore(before)
  consumer = exported.consumer({"train"})
  found = consumer.run(consumer.outputs["default"], images)
  _assert_same(
    {"default": found["default"]},
    {"default": expected[model.default_task]},
    model,
  )
  inference = exported.live.outputs(images)[model.default_task]
  assert not np.allclose(found["default"], inference, rtol=1e-3)


def _assert_same(found, wanted, model):
  assert sorted(found) == sorted(wanted)
  # Half precision rounds to 3 digits; how depends on how ops are fused.
  tolerance = 2e-3 if model.name == "mixed_float16" else 1e-5
  for key, value in wanted.items():
    scale = np.max(np.abs(value))
    np.testing.assert_allclose(
      found[key], value, rtol=0, atol=tolerance * scale, err_msg=key
    )
