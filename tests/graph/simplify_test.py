# SPDX-License-Identifier: Apache-2.0
"""Nodes that are there twice, or only pass values on, are bypassed."""

from __future__ import annotations

import collections

import numpy as np
import pytest

from hub_image_export.graph import graph_defs, simplify as redundancy
from hub_image_export.tensorflow_api.compat import tf

v1 = tf.compat.v1
X = np.linspace(-1.0, 1.0, 4, dtype=np.float32)


def slim(build, *kept):
  """The GraphDef of `y = build(x)` before and after, pruned to y and `kept`."""
  with tf.Graph().as_default() as graph:
    x = v1.placeholder(tf.float32, [4], "x")
    tf.identity(build(x), "y")
  before = graph.as_graph_def()
  after = graph.as_graph_def()
  redundancy.bypass_redundant_nodes(after, ["y", *kept])
  return before, graph_defs.prune(after, ["y", *kept])


def run(graph_def, differentiate=True):
  """The value of y, and its gradient by x."""
  with tf.Graph().as_default(), v1.Session() as session:
    x = v1.placeholder(tf.float32, [4])
    (y,) = v1.import_graph_def(graph_def, {"x:0": x}, ["y:0"])
    wanted = [y, *(v1.gradients(y, x) if differentiate else [])]
    return session.run(wanted, {x: X})


def ops(graph_def):
  return collections.Counter(node.op for node in graph_def.node)


def equal_constants(x):
  return (x + tf.constant(2.0)) * tf.constant(2.0) - tf.constant(3.0)


def other_types(x):
  """The same bits, but not the same values."""
  zeros = [tf.constant(0, dtype) for dtype in (tf.int32, tf.int64)]
  a, b = (tf.cast(zero, tf.float32) for zero in zeros)
  return x + a + b


def other_shapes(x):
  return x + tf.constant([2.0]) + tf.constant(2.0)


def identities(x):
  a, b = tf.identity_n([tf.identity(x), 2.0 * x])
  return tf.identity(tf.identity(b)) - a * b


def identity_of_constants(x):
  return tf.identity(tf.constant(2.0)) * x + tf.identity(tf.constant(2.0))


@pytest.mark.parametrize(
  "build, left",
  [
    (equal_constants, {"Const": 2, "Identity": 1}),
    (other_types, {"Const": 2, "Identity": 1}),
    (other_shapes, {"Const": 2, "Identity": 1}),
    (identities, {"Const": 1, "Identity": 1, "IdentityN": 0}),
    (identity_of_constants, {"Const": 1, "Identity": 1}),
  ],
)
def test_the_rest_computes_the_same(build, left):
  before, after = slim(build)
  found = ops(after)
  assert {op: found[op] for op in left} == left
  np.testing.assert_array_equal(run(after), run(before))


def test_what_is_known_by_its_name_stays():
  """C10: outputs are looked up by their names."""
  _, after = slim(lambda x: tf.identity(tf.identity(x, "a"), "b") + 1.0, "a:0")
  names = {node.name for node in after.node}
  assert "a" in names and "b" not in names


def test_order_is_kept():
  """A node with control inputs, or behind one, is for more than its value."""

  def ordered(x):
    check = tf.identity(x, "check")
    with tf.control_dependencies([check]):
      two = tf.constant(2.0, name="ordered")
      passed = tf.identity(x, "passed")
    return passed * two * tf.constant(2.0)

  _, after = slim(ordered)
  nodes = graph_defs.nodes_by_name(after)
  assert {"check", "ordered", "passed"} <= set(nodes)
  assert list(nodes["passed"].input) == ["x", "^check"]
  assert ops(after)["Const"] == 2


def test_loops_of_tf1_run():
  def looped(x):
    v1.disable_control_flow_v2()
    try:
      return v1.while_loop(
        lambda i, _: i < 3,
        lambda i, total: (i + 1, tf.identity(total) + 2.0 * x),
        [tf.constant(0), tf.constant(2.0) * x],
      )[1]
    finally:
      v1.enable_control_flow_v2()

  before, after = slim(looped)
  assert ops(before)["Enter"]
  np.testing.assert_array_equal(run(after, False), run(before, False))


def shared(build, *kept):
  """As `slim`, of what is shared."""
  with tf.Graph().as_default() as graph:
    x = v1.placeholder(tf.float32, [4], "x")
    tf.identity(build(x), "y")
  before, after = graph.as_graph_def(), graph.as_graph_def()
  redundancy.share_equal_nodes(after, ["y", *kept])
  return before, graph_defs.prune(after, ["y", *kept])


def equal_calls(x):
  def call():
    mean, variance = tf.nn.moments(tf.split(tf.sin(x), 2)[1], [0])
    return mean + 2.0 * variance

  return call() * call()


def test_what_is_computed_twice_is_shared():
  before, after = shared(equal_calls)
  for op in ("Sin", "Split", "SquaredDifference"):
    assert (ops(before)[op], ops(after)[op]) == (2, 1)
  for found, expected in zip(run(after), run(before)):
    np.testing.assert_array_equal(found, expected)


def other_draws(x):
  return x * (tf.random.uniform([4]) - tf.random.uniform([4]))


def other_inputs(x):
  other = v1.placeholder_with_default(tf.zeros([4]), [4])
  one = v1.placeholder_with_default(tf.zeros([4]), [4])
  return tf.sin(other) * tf.sin(one) + x


def other_outputs(x):
  a, b = tf.split(x, 2)
  return tf.concat([tf.sin(b), tf.sin(a)], 0)


@pytest.mark.parametrize("build", [other_draws, other_inputs, other_outputs])
def test_what_only_looks_alike_stays_apart(build):
  before, after = shared(build)
  computing = ("RandomUniform", "Sin", "Mul", "Sub", "PlaceholderWithDefault")
  for op in computing:
    assert ops(after)[op] == ops(before)[op]


def test_outputs_keep_their_names():
  before, after = shared(lambda x: [tf.sin(x, "a"), tf.sin(x, "b")], "a", "b")
  assert {"a", "b"} <= {node.name for node in after.node}
