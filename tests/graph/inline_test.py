# SPDX-License-Identifier: Apache-2.0
"""Functions are inlined where they are called, or named by their content."""

from __future__ import annotations

import numpy as np
import pytest

from hub_image_export.graph import inline as functions
from hub_image_export.tensorflow_api.compat import tf

v1 = tf.compat.v1
CALLS = {"PartitionedCall", "StatefulPartitionedCall"}


def traced(fn, *more):
  """The GraphDef of `fn(x)`, and names of what it returns."""
  specs = [tf.TensorSpec([None], tf.float32, "x"), *more]
  wrapped = v1.wrap_function(
    lambda *args: tf.nest.map_structure(tf.identity, fn(*args)), specs
  )
  outputs = tf.nest.flatten(wrapped.structured_outputs)
  return wrapped.graph.as_graph_def(), [y.name for y in outputs]


def run(graph_def, names, x):
  with tf.Graph().as_default(), v1.Session() as session:
    placeholder = v1.placeholder(tf.float32, [None])
    outputs = v1.import_graph_def(graph_def, {"x": placeholder}, names)
    return session.run(outputs, {placeholder: x})


@tf.function
def doubled(x):
  return 2.0 * x


@tf.function
def doubled_twice(x):
  return doubled(doubled(x))


@tf.function
def swapped(x, y):
  """Returns its arguments, in another order, and something of its own."""
  return y, x, x - y


def two_swaps(x):
  a, b, c = swapped(x, doubled(x))
  d, e, f = swapped(a, b)
  return d, e, c + f


def split(x):
  """An op with several outputs inside of a function."""

  @tf.function
  def inner(x):
    first, second = tf.split(x, 2)
    return second, first

  return inner(x)


@pytest.mark.parametrize(
  "fn", [doubled, doubled_twice, two_swaps, split], ids=lambda f: f.__name__
)
def test_inlined_functions_compute_the_same(fn):
  graph_def, names = traced(fn)
  assert CALLS & {node.op for node in graph_def.node}
  inlined = functions.inline_calls(graph_def)
  assert not CALLS & {node.op for node in inlined.node}
  x = np.array([1.0, -3.0], np.float32)
  for found, expected in zip(run(inlined, names, x), run(graph_def, names, x)):
    np.testing.assert_array_equal(found, expected)


def test_the_argument_is_not_changed():
  graph_def, _ = traced(doubled)
  before = graph_def.SerializeToString(deterministic=True)
  functions.inline_calls(graph_def)
  functions.name_by_content(graph_def)
  assert graph_def.SerializeToString(deterministic=True) == before


def halving(x):
  """Control flow, whose bodies stay functions."""

  @tf.function
  def inner(x):
    while tf.reduce_max(x) > 1.0:
      x = x / 2.0
    return x

  return inner(x)


def test_control_flow_keeps_its_bodies():
  graph_def, names = traced(halving)
  inlined = functions.inline_calls(graph_def)
  assert {node.op for node in inlined.node} & {"While", "StatelessWhile"}
  x = np.array([5.0, 3.0], np.float32)
  (found,) = run(inlined, names, x)
  np.testing.assert_array_equal(found, x / 8)


def _named(fn):
  graph_def, names = traced(fn)
  return functions.name_by_content(functions.inline_calls(graph_def)), names


def test_names_are_those_of_the_content():
  """The same in each trace, whatever TensorFlow counts; other for others."""
  first, _ = _named(halving)
  second, _ = _named(halving)
  other, _ = _named(thirds)

  def names(graph_def):
    return [f.signature.name for f in graph_def.library.function]

  assert names(first) == names(second)
  assert names(first)
  assert all(name.startswith("function_") for name in names(first))
  assert not set(names(first)) & set(names(other))


def thirds(x):
  @tf.function
  def inner(x):
    while tf.reduce_max(x) > 1.5:
      x = x / 3.0
    return x

  return inner(x)


def test_two_graphs_with_functions_in_one():
  """Under TensorFlow's own names, they would clash."""
  named = [_named(fn) for fn in (halving, thirds, halving)]
  with tf.Graph().as_default(), v1.Session() as session:
    outputs = []
    for graph_def, names in named:
      x = {"x": tf.constant([9.0])}
      outputs += v1.import_graph_def(graph_def, x, names)
    found = session.run(outputs)
  np.testing.assert_allclose(found, [[9 / 16], [1.0], [9 / 16]], rtol=1e-6)


def test_unused_functions_are_left_out():
  graph_def, _ = traced(doubled_twice)
  inlined = functions.inline_calls(graph_def)
  assert graph_def.library.function
  assert not functions.name_by_content(inlined).library.function


def powers(constant):
  """A loop that runs a given number of times; other constants, other bodies."""

  def function(x):
    return tf.while_loop(
      lambda i, _: i < 2,
      lambda i, y: (i + 1, y * tf.sin(x) + constant),
      [0, x],
    )[1]

  return function


def branches(x):
  return tf.cond(tf.reduce_sum(x) > 0.0, lambda: tf.sin(x), lambda: tf.cos(x))


EQUAL = {
  "loops": lambda x, f: tf.function(f)(x) + tf.function(f)(2.0 * x),
  "one_function_twice": lambda x, f: sum(map(tf.function(f), [x, 2.0 * x])),
  "loops_in_a_loop": lambda x, f: tf.while_loop(
    lambda i, _: i < 2, lambda i, y: (i + 1, 0.5 * f(f(y))), [0, x]
  )[1],
  "loops_in_branches": lambda x, f: sum(
    tf.cond(y[0] > 0.0, lambda y=y: f(y), lambda y=y: y) for y in (x, 2.0 * x)
  ),
  "functions_in_branches": lambda x, f: sum(
    tf.cond(y[0] > 0.0, lambda y=y: tf.function(f)(y), lambda y=y: y)
    for y in (x, 2.0 * x)
  ),
  "branches": lambda x, f: branches(x) + branches(2.0 * x),
}


@pytest.mark.parametrize("name", EQUAL)
def test_equal_functions_can_be_differentiated(name):
  """TensorFlow makes names of functions out of those of loops' bodies."""
  # In one process, these names stay taken.
  loop = powers(float(list(EQUAL).index(name)))
  value = tf.constant([0.5, 1.5])
  with tf.GradientTape() as tape:
    tape.watch(value)
    y = EQUAL[name](value, loop)
  expected = tape.gradient(y, value).numpy()
  graph_def, names = _named(lambda x: tf.identity(EQUAL[name](x, loop)))
  with tf.Graph().as_default(), v1.Session() as session:
    x = tf.constant(value.numpy())
    y = v1.import_graph_def(graph_def, {"x": x}, names)
    gradient = session.run(v1.gradients(y, x))[0]
  np.testing.assert_allclose(gradient, expected, rtol=1e-5)


def test_equal_branches_are_one_function():
  fn = tf.function(branches)
  graph_def, _ = _named(lambda x: fn(x) + fn(2.0 * x))
  assert len(graph_def.library.function) == 2
