# SPDX-License-Identifier: Apache-2.0
"""Excerpts compute what the graph computes, with a few of its ops."""

from __future__ import annotations

import numpy as np
import pytest

from hub_image_export.graph import excerpts
from hub_image_export.tensorflow_api.compat import tf

v1 = tf.compat.v1
X = np.array([1.0, 2.0], np.float32)


def run(tensors, values):
  """The tensors' values in an excerpt, and the types of its ops.

  Args:
    values: by the names of the tensors that placeholders stand for.
  """
  graph = tensors[0].graph
  given = [graph.get_tensor_by_name(name) for name in values]
  graph_def, names, placeholders = excerpts.excerpt(tensors, given)
  with tf.Graph().as_default() as excerpt:
    tf.import_graph_def(graph_def, name="")
  feeds = {k: values.get(x.name, X) for k, x in placeholders.items()}
  with v1.Session(graph=excerpt) as session:
    found = session.run(names, feeds)
  return [x.tolist() for x in found], sorted(n.op for n in graph_def.node)


def test_it_begins_at_the_given_tensors():
  with tf.Graph().as_default():
    x = tf.exp(v1.placeholder(tf.float32, [2]))
    y = tf.add(x, x)
    tf.sin(y)
  assert run([y, x], {x.name: X}) == (
    [[2.0, 4.0], [1.0, 2.0]],
    ["AddV2", "Placeholder"],
  )


def test_an_op_can_be_given_with_one_of_its_outputs():
  with tf.Graph().as_default():
    a, b = tf.split(tf.constant([3.0, 4.0]), 2)
    y = a * b
  values, types = run([y], {b.name: X[:1]})
  assert values == [[3.0]]
  assert "Split" in types


def test_other_parts_of_the_network_are_left_out():
  with tf.Graph().as_default():
    images = v1.placeholder(tf.float32, [2])
    x, other = tf.sin(images), tf.exp(images)
    y = x + 10.0 * other
  values, types = run([y], {x.name: 2.0 * X})
  assert values == [[3.0, 6.0]]  # 10 * other is one of them.
  assert types == ["AddV2", "Placeholder", "Placeholder"]


def test_sizes_and_masks_of_other_parts_are_computed():
  with tf.Graph().as_default():
    images = v1.placeholder(tf.float32, [2])
    flag = v1.placeholder(tf.bool, [])
    x = tf.sin(images)
    count = tf.cast(tf.shape(tf.exp(images))[0], tf.float32)
    y = tf.where(tf.logical_and(images > 1.5, flag), x, count * x)
  values, types = run([y], {x.name: X})
  assert values == [[2.0, 2.0]]
  assert "Exp" not in types


def test_reads_of_one_variable_are_one_value():
  weight = tf.Variable(X)

  def network(x):
    return weight * x + weight.read_value()

  spec = tf.TensorSpec([2], tf.float32, "x")
  graph = v1.wrap_function(network, [spec]).graph
  reads = [
    op.outputs[0]
    for op in graph.get_operations()
    if op.type == "ReadVariableOp"
  ]
  assert len(reads) == 2
  values, types = run([graph.outputs[0]], {reads[0].name: 3.0 * X, "x:0": X})
  assert values == [[6.0, 18.0]]
  assert types.count("Placeholder") == 2


def test_what_it_asserts_is_left_out():
  with tf.Graph().as_default():
    x = v1.placeholder(tf.float32, [2])
    asserted = v1.assert_negative(x)
    with tf.control_dependencies([asserted]), v1.colocate_with(tf.exp(x)):
      y = tf.negative(x)
  assert run([y], {x.name: X}) == ([[-1.0, -2.0]], ["Neg", "Placeholder"])


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
