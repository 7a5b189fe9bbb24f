# SPDX-License-Identifier: Apache-2.0
"""Wrong inputs that show only when the network is known, or exported.

Nothing is written for them.
"""

from __future__ import annotations

import numpy as np
import pytest

import hub_image_export as hie
from hub_image_export.tensorflow_api.compat import tf
from tests.bad_input.check_error import check_error
from tests.bad_input.functions import (
  collecting,
  ignoring_momentum,
  ok,
  reversing,
  without_batch_norm,
)
from tests.support import function_sources, models


def test_endpoints_that_collide_after_the_prefix():
  def fn(images):
    return ok(images), {"a": images, "Net/a": images}

  check_error(
    lambda: hie.make_feature_vector_module(fn, 12, 10, arch_name="Net"),
    ValueError,
    ["'Net/a'", "C10"],
  )


def test_essential_words_of_training_that_is_not_there():
  source = models.by_name("inference_only").make()
  check_error(
    lambda: hie.make_feature_vector_module(source.fn, 12, 10, training=True),
    ValueError,
    ["no is_training", "F2"],
  )
  check_error(
    lambda: hie.make_feature_vector_module(
      lambda images, is_training: ok(images), 12, 10, training=True
    ),
    ValueError,
    ["the same for training as for inference", "F2"],
  )


@pytest.mark.parametrize(
  "fn", [without_batch_norm, lambda: ignoring_momentum], ids=["none", "ignored"]
)
def test_momentum_that_changes_nothing(fn):
  check_error(
    lambda: hie.make_feature_vector_module(
      fn(), 12, 10, batch_norm_momentum=True
    ),
    ValueError,
    ["does not use the momentum", "H1"],
  )


def test_a_width_that_depends_on_the_size():
  def flattening(images):
    return tf.reshape(images, [-1, images.shape[1] * images.shape[2] * 3])

  def fixed(images):
    return tf.reshape(images, [-1, 360])

  for fn, error in ((flattening, Exception), (fixed, ValueError)):
    with pytest.raises(error):
      hie.make_feature_vector_module(fn, 12, 10, variable_size=True)


def test_custom_gradients_can_be_accepted():
  spec = hie.make_feature_vector_module(
    reversing, 12, 10, allow_custom_gradients=True
  )
  assert len(spec.get_tags()) == 2


def test_refused_collections_can_be_dropped():
  hie.make_feature_vector_module(
    collecting("losses")(), 12, 10, drop_collections=["losses"]
  )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite(value, tmp_path):
  net = function_sources.Net()
  net.mean.assign([value] * 5)
  spec = hie.make_feature_vector_module(net, 12, 10)
  check_error(
    lambda: spec.export(tmp_path / "module"),
    hie.WeightsError,
    ["net/mean", "NaN or infinite"],
  )
  assert not list(tmp_path.iterdir())


def test_nothing_is_written_for_an_output_that_is_not_finite(tmp_path):
  spec = hie.make_feature_vector_module(lambda x: ok(x) / 0.0, 12, 10)
  check_error(
    lambda: spec.export(tmp_path / "module"),
    hie.VerificationError,
    ["NaN or infinite", "preprocess"],
  )
  assert not list(tmp_path.iterdir())
