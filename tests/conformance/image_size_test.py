# SPDX-License-Identifier: Apache-2.0
"""C16: the expected size is reported by the spec and by the module."""

from __future__ import annotations

from hub_image_export.tensorflow_api.compat import hub


def test_expected_size(exported):
  size = list(exported.model.height_and_width)
  assert list(hub.get_expected_image_size(exported.spec)) == size
  loaded = hub.load_module_spec(exported.path)
  assert list(hub.get_expected_image_size(loaded)) == size
  for tags in exported.model.variants:
    module = exported.consumer(tags).module
    assert list(hub.get_expected_image_size(module)) == size
