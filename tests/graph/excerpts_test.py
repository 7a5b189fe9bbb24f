"""Excerpts compute what the graph computes, with a few of its ops."""

from __future__ import annotations

import numpy as np
import pytest

from hub_image_export.graph import excerpts
from hub_image_export.tensorflow_api.compat import tf

v1 = tf.compat.v1
X = np.array([1.0, 2.0], np.float32)


def run(tensors, values):
  """The tensors' values in an excerpt, and the types of its ops."""
  graph_def, names = excerpts.excerpt(tensors, values)
  with tf.Graph().as_default() as graph:
    tf.import_graph_def(graph_def, name="")
  with v1.Session(graph=graph) as session:
    found = session.run(names)
  return [x.tolist() for x in found], sorted(n.op for n in graph_def.node)


def test_it_ends_at_the_given_tensors():
  with tf.Graph().as_default():
    x = tf.exp(v1.placeholder(tf.float32, [2]))
    y = tf.add(x, x)
    tf.sin(y)
  assert run([y, x], {x.name: X}) == (
    [[2.0, 4.0], [1.0, 2.0]],
    ["AddV2", "Const"],
  )


def test_an_op_can_be_given_with_one_of_its_outputs():
  with tf.Graph().as_default():
    a, b = tf.split(tf.constant([3.0, 4.0]), 2)
    y = a * b
  values, types = run([y], {b.name: X[:1]})
  assert values == [[3.0]]
  assert "Split" in types


def test_what_it_asserts_and_is_placed_with_is_left_out():
  with tf.Graph().as_default():
    x = v1.placeholder(tf.float32, [2])
    asserted = v1.assert_negative(x)
    with tf.control_dependencies([asserted]), v1.colocate_with(tf.exp(x)):
      y = tf.negative(x)
  assert run([y], {x.name: X}) == ([[-1.0, -2.0]], ["Const", "Neg"])


@pytest.mark.parametrize("levels", [1, 2])
def test_functions_come_along(levels):
  fn = tf.function(lambda x: 3.0 * x)
  if levels == 2:
    inner = fn
    fn = tf.function(lambda x: inner(x) + 1.0)
  with tf.Graph().as_default():
    x = v1.placeholder(tf.float32, [2])
    y = fn(x)
  values, _ = run([y], {x.name: X})
  assert values == [[3.0 + levels - 1.0, 6.0 + levels - 1.0]]
