# SPDX-License-Identifier: Apache-2.0
"""Fine-tuning: the source's own gradients, in a process that knows nothing.

In the author's process registered gradients would still answer, and in
another's one of the same number might.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.support import fresh_process, models
from tests.support.consumer import random_images

# These have no variables, or new ones each time they are called.
_WITHOUT = ("no_variables", "exported_by_keras", "builds_keras_layers")
MODELS = [m for m in models.ALL if m.name not in _WITHOUT]


@pytest.fixture(scope="module")
def gradients(exports, tmp_path_factory):
  """From model to its gradients, all computed by one process."""
  jobs = {
    model.name: {
      "path": exports(model).path,
      "variants": [sorted(tags) for tags in model.variants],
      "tasks": list(model.width),
      "size": model.height_and_width,
    }
    for model in models.WITH_VARIABLES
  }
  directory = str(tmp_path_factory.mktemp("gradients"))
  return fresh_process.run("gradients", jobs, directory)


@pytest.mark.parametrize("model", models.WITH_VARIABLES, ids=str)
def test_every_trainable_variable_has_a_gradient(model, gradients):
  found = gradients[model.name]
  assert "error" not in found, found
  for tags in model.variants:
    label = ",".join(tags)
    trainable = set(found[f"{label}#trainable"].tolist())
    assert trainable == _of_variant(found, label).keys()
    assert trainable


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_inference_gradients_are_those_of_the_source(model, gradients, exports):
  images = random_images(4, *model.height_and_width)
  expected = exports(model).live.gradients(images)
  _assert_same(_of_variant(gradients[model.name], ""), expected, model)


@pytest.mark.parametrize(
  "model", [m for m in MODELS if m.trains and not m.is_random], ids=str
)
def test_training_gradients_are_those_of_the_source(model, gradients, exports):
  images = random_images(4, *model.height_and_width)
  expected = exports(model).live.gradients(images, training=True)
  _assert_same(_of_variant(gradients[model.name], "train"), expected, model)


def _of_variant(found, label):
  prefix = f"{label}|"
  return {k[len(prefix) :]: v for k, v in found.items() if k.startswith(prefix)}


def _assert_same(found, expected, model):
  # Gradients of half precision are sums of numbers rounded to 3 digits.
  tolerance = 2e-2 if model.name == "mixed_float16" else 1e-4
  assert found.keys() == expected.keys()
  largest = max(np.max(np.abs(value)) for value in expected.values())
  for name, value in expected.items():
    np.testing.assert_allclose(
      found[name], value, rtol=tolerance, atol=tolerance * largest, err_msg=name
    )
