# SPDX-License-Identifier: Apache-2.0
"""Loops of few, fixed rounds are unrolled: same values, same gradients."""

from __future__ import annotations

import numpy as np
import pytest

from hub_image_export.graph import inline
from hub_image_export.graph.called_functions import LOOPS
from hub_image_export.graph.fixed_flow import without_fixed_flow
from hub_image_export.tensorflow_api.compat import tf
from tests.support import portability_cases as cases

v1, layers = tf.compat.v1, tf.keras.layers
_WEIGHT = tf.Variable(np.float32([0.3, 0.5, 0.7]))


def _step(x):
  return tf.sin(x * _WEIGHT) + 0.1


def _while(rounds, step=_step):
  return lambda x: tf.while_loop(
    lambda i, _: i < rounds(x), lambda i, y: (i + 1, step(y)), [0, x]
  )[1]


@tf.function
def _in_range(x):
  for _ in tf.range(4):
    x = _step(x)
  return x


@tf.function
def _down_by_two(x):
  i = 7
  while i > tf.constant(2):
    x, i = _step(x), i - 2
  return x


def _for_each_row(x):
  rows = tf.shape(x)[1] // 2
  return _while(lambda _: rows)(x)


def _scan(x):
  rows = tf.transpose(x, [1, 0, 2, 3])
  return tf.scan(lambda a, row: _step(a) + row, rows)


FIXED = {
  "constant": _while(lambda x: 3),
  "static_size": _for_each_row,
  "range": _in_range,
  "one_function_twice": lambda x: _in_range(_in_range(x)),
  "down_by_two": _down_by_two,
  "array": _scan,
  "loop_in_a_loop": _while(lambda x: 2, _while(lambda x: 3)),
  "function_in_a_loop": _while(lambda x: 2, tf.function(_step)),
}


def _loops(graph_def):
  return [node.name for node in graph_def.node if node.op in LOOPS]


@pytest.mark.parametrize("name", FIXED)
def test_fixed_loops_are_unrolled(name):
  case = cases.trace(FIXED[name])
  expected = cases.run(case.rewritten(inline.name_by_content))
  assert _loops(case.graph_def)
  unrolled = case.rewritten(without_fixed_flow).pruned()
  assert not _loops(unrolled.graph_def)
  cases.assert_equal(cases.run(unrolled), expected)


@pytest.mark.parametrize("name", ["range", "array", "loop_in_a_loop"])
def test_two_copies_in_one_graph_can_be_differentiated(name):
  """A module may be used twice; gradients of loops add functions by name."""
  case = cases.trace(FIXED[name]).rewritten(without_fixed_flow).pruned()
  graph_def, feeds, request = case.runnable()
  expected = cases.run(case)["gradient0"]
  with tf.Graph().as_default() as graph:
    tf.import_graph_def(graph_def, name="a")
    tf.import_graph_def(graph_def, name="b")
    tensor = graph.get_tensor_by_name
    images = [tensor("a/images:0"), tensor("b/images:0")]
    results = [tensor("a/result:0"), tensor("b/result:0")]
    gradients = v1.gradients([tf.reduce_sum(y**3) for y in results], images)
    with v1.Session() as session:
      both = {f"{s}/{k}": v for s in "ab" for k, v in feeds.items()}
      session.run(
        [f"{s}/{n}" for s in "ab" for n in request["initialize"]], both
      )
      for found in session.run(gradients, both):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


STAY = {
  "by_content": _while(lambda x: tf.cast(tf.reduce_sum(x), tf.int32) // 100),
  "by_batch": _while(lambda x: tf.shape(x)[0]),
  "by_a_draw": _while(lambda x: tf.random.uniform([], 1, 3, tf.int32)),
  "by_a_variable": _while(lambda x: tf.cast(10 * _WEIGHT[0], tf.int32)),
  "too_long": _while(lambda x: 100_000),
  "never": _while(lambda x: 0),
}


@pytest.mark.parametrize("name", STAY)
def test_other_loops_stay(name):
  before = cases.trace(STAY[name]).graph_def
  loops = _loops(before)
  after = without_fixed_flow(before)
  assert _loops(after) == loops != []


@pytest.mark.parametrize("name", ["by_content", "never"])
def test_with_a_loop_that_stays_others_are_unrolled(name):
  case = cases.trace(lambda x: _in_range(STAY[name](x)))
  expected = cases.run(case)
  unrolled = case.rewritten(without_fixed_flow)
  assert len(_loops(unrolled.graph_def)) == 1
  cases.assert_equal(cases.run(unrolled), expected)
