# SPDX-License-Identifier: Apache-2.0
"""`open_module` gives what a consumer's own session gives, by any signature."""

from __future__ import annotations

import numpy as np
import pytest

import hub_image_export as hie
from tests.support import models


def test_outputs_are_those_of_hub_module(exported):
  consumer, images = exported.consumer(), exported.images(3)
  with hie.open_module(exported.path) as module:
    assert set(module.signatures) == set(consumer.outputs) - {
      name for name in consumer.outputs if name.endswith("_with_bn_hparams")
    }
    for signature, outputs in module.signatures.items():
      assert set(outputs) == set(consumer.outputs[signature])
      for output in outputs:
        expected = consumer.run(consumer.outputs[signature][output], images)
        found = module(images, signature=signature, output=output)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert module.task == exported.model.default_task


@pytest.mark.slow
@pytest.mark.parametrize(
  "name", ["functional", "two_tasks", "tf1", "variable_size"]
)
def test_the_tf2_format_gives_the_same(name, exports, tmp_path):
  exported = exports(models.by_name(name))
  exported.spec.export_saved_model(tmp_path / "saved_model")
  images = exported.images(3)
  with (
    hie.open_module(exported.path) as module,
    hie.open_module(tmp_path / "saved_model") as saved_model,
  ):
    assert set(saved_model.signatures) == set(module.signatures)
    for attribute in ("image_size", "task", "labels", "activation"):
      same = getattr(module, attribute)
      assert getattr(saved_model, attribute) == same
    for signature, outputs in saved_model.signatures.items():
      for output in outputs:
        asked = {"signature": signature, "output": output}
        np.testing.assert_allclose(
          saved_model(images, **asked),
          module(images, **asked),
          rtol=1e-4,
          atol=1e-5,
        )
