# SPDX-License-Identifier: Apache-2.0
"""C10: endpoints, prefixed, in the named and default signatures."""

from __future__ import annotations

from tests.conformance.warnings_of import warnings_of
from tests.support import models


def test_endpoints_stand_in_every_signature_and_variant(exported):
  keys = sorted(["default", *exported.model.endpoints])
  for tags in exported.model.variants:
    consumer = exported.consumer(tags)
    for outputs in consumer.outputs.values():
      assert sorted(outputs) == keys


def test_a_prefix_is_not_put_twice():
  model = models.by_name("tf1")

  def fn(images):
    features = images[:, 0, 0, :]
    return features, {"Tiny/mine": features, "other": features}

  spec = model.build(fn)
  found = spec.get_output_info_dict("default")
  assert set(found) == {"default", "Tiny/mine", "Tiny/other"}


def test_without_arch_name_the_author_is_warned(caplog):
  def fn(images):
    return images[:, 0, 0, :], {"bare": images}

  messages = warnings_of(
    caplog, lambda: models.by_name("tf1").build(fn, arch_name=None)
  )
  assert any("bare" in m and "arch_name" in m for m in messages)
