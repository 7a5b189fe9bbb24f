"""C16: the expected size is reported by the spec and by the module."""

from __future__ import annotations

import pytest

from hub_image_export.tensorflow_api.compat import hub
from tests.support import models


@pytest.mark.parametrize("model", models.ALL, ids=str)
def test_expected_size(model, exports):
  exported = exports(model)
  size = list(model.height_and_width)
  assert list(hub.get_expected_image_size(exported.spec)) == size
  loaded = hub.load_module_spec(exported.path)
  assert list(hub.get_expected_image_size(loaded)) == size
  for tags in model.variants:
    module = exported.consumer(tags).module
    assert list(hub.get_expected_image_size(module)) == size
