# SPDX-License-Identifier: Apache-2.0
"""Weights that training replaces by what it uses are odd, not wrong (F4)."""

from __future__ import annotations

import pytest

import hub_image_export as hie
from hub_image_export.tensorflow_api.compat import tf

v1 = tf.compat.v1


def _normalized(images, is_training):
  """As spectral normalization of Keras 2 does."""
  kernel = v1.get_variable("kernel", [3, 4])
  if is_training:
    normalized = kernel / tf.norm(kernel)
    update = kernel.assign(normalized)
    v1.add_to_collection(v1.GraphKeys.UPDATE_OPS, update)
  else:
    normalized = tf.identity(kernel)
  return tf.reduce_mean(images, [1, 2]) @ normalized


@pytest.mark.parametrize("name", ["export", "export_saved_model"])
def test_normalized_weights_are_warned_of(name, tmp_path):
  spec = hie.make_feature_vector_module(_normalized, 12, 10)
  report = getattr(spec, name)(tmp_path / "module", check=True).report
  assert [w.rule for w in report.warnings] == ["updates-trainable"]
