# SPDX-License-Identifier: Apache-2.0
"""What is said to get a gradient gets one from TensorFlow."""

from __future__ import annotations

import pytest

from hub_image_export.checker.judged import JudgedModule
from hub_image_export.checker.reading.parsing import read_module
from hub_image_export.checker.report import Findings
from hub_image_export.checker.running.running_variant import (
  RunningVariant,
  plain_signature,
)
from hub_image_export.tensorflow_api.compat import hub, tf
from tests.checker import corpus, tiny

corpus.load()
# What can be loaded, with gradients of all sorts: some, none, of a loop.
_MAKERS = [
  maker
  for maker in (*corpus.GOOD, *corpus.DEFECTS["default-differs"])
  if not maker.__name__.startswith("object_")  # They have objects, no graphs.
]


def _running(path):
  module = read_module(path, Findings())
  assert isinstance(module, JudgedModule)
  signature = plain_signature(module.train or module.main)
  return RunningVariant(hub.load_module_spec(path), signature)


@pytest.mark.slow
@pytest.mark.parametrize("maker", _MAKERS, ids=lambda maker: maker.__name__)
def test_all_get_gradients_only_if_tensorflow_says_so(maker, tmp_path):
  path = str(tmp_path / "module")
  maker(path)
  with _running(path) as running:
    told = running.all_get_gradients()
    gradients = running.gradients()
  assert not told or all(gradient is not None for gradient in gradients)


def _looking_up(x, training, momentum):
  """Gradients for some rows only, and two ways from one variable."""
  table = tiny.variable("table", [9, tiny.FILTERS])
  rows = tf.gather(tf.convert_to_tensor(table), [1, 3, 1])
  return tiny.body(x, training, momentum) + tf.reduce_sum(rows, 0)


@pytest.mark.parametrize("options", [{}, dict(make_body=_looking_up)])
def test_it_is_known_for_an_ordinary_network(options, tmp_path):
  with _running(tiny.build(str(tmp_path / "module"), **options)) as running:
    assert running.all_get_gradients()


@pytest.mark.parametrize(
  "cut",
  [
    tf.round,
    tf.stop_gradient,
    # No gradient is defined, and one that depends on more than its kind.
    lambda x: tf.cast(tf.bitcast(x, tf.int32), tf.float32),
    lambda x: tf.cond(tf.reduce_sum(x) > 0, lambda: x, lambda: 2 * x),
  ],
)
def test_it_is_not_known_where_something_is_in_the_way(cut, tmp_path):
  path = tiny.build(
    str(tmp_path / "module"), make_features=lambda x: tiny.pool(cut(x))
  )
  with _running(path) as running:
    assert not running.all_get_gradients()
