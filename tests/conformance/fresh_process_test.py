# SPDX-License-Identifier: Apache-2.0
"""Consumers with TensorFlow 2: plain `hub.load` and `hub.KerasLayer`."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support import fresh_process, models
from tests.support.keras_sources import HAS_KERAS_2


def _jobs(exports):
  return {
    model.name: {
      "path": exports(model).path,
      "signatures": ["default", *model.width],
      "size": model.height_and_width,
    }
    for model in models.ALL
  }


@pytest.fixture(scope="module")
def loaded(exports, tmp_path_factory):
  directory = str(tmp_path_factory.mktemp("hub_load"))
  return fresh_process.run("hub_load", _jobs(exports), directory)


@pytest.fixture(scope="module")
def layers(exports, tmp_path_factory):
  directory = str(tmp_path_factory.mktemp("keras_layer"))
  return fresh_process.run("keras_layer", _jobs(exports), directory)


@pytest.mark.parametrize("model", models.ALL, ids=str)
def test_hub_load(model, loaded, exports):
  found = loaded[model.name]
  assert "error" not in found, found
  consumer = exports(model).consumer()
  here = consumer.run(consumer.outputs, exports(model).images())
  expected = {f"{s}|{k}": v for s, o in here.items() for k, v in o.items()}
  assert found.keys() == expected.keys()
  for key, value in expected.items():
    np.testing.assert_allclose(found[key], value, rtol=1e-4, atol=1e-6)


@pytest.mark.skipif(
  not HAS_KERAS_2, reason="hub.KerasLayer of hub 0.15 is for Keras 2."
)
@pytest.mark.parametrize("model", models.ALL, ids=str)
def test_keras_layer(model, layers, exports):
  found = layers[model.name]
  assert "error" not in found, found
  consumer = exports(model).consumer()
  default = consumer.outputs["default"]["default"]
  expected = consumer.run(default, exports(model).images())
  np.testing.assert_allclose(found["output"], expected, rtol=1e-4, atol=1e-6)
