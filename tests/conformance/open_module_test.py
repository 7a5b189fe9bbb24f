# SPDX-License-Identifier: Apache-2.0
"""`open_module` gives what a consumer's own session gives, by any signature."""

from __future__ import annotations

import numpy as np

import hub_image_export as hie


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
