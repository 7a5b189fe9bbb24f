# SPDX-License-Identifier: Apache-2.0
"""State as values: what reads see, and what is assigned at the end."""

from __future__ import annotations

import numpy as np
import pytest

from hub_image_export.graph import inline, updates
from hub_image_export.graph.graph_defs import ASSIGNMENTS, all_nodes
from hub_image_export.graph.state_ops import Cell
from hub_image_export.tensorflow_api.compat import tf

v1 = tf.compat.v1


def traced(fn, *values, **options):
  """`(graph, updates, output)` of `fn(x, *variables)` on a vector x."""
  variables = [tf.Variable(value) for value in values]
  wrapped = v1.wrap_function(
    lambda x: tf.identity(fn(x, *variables), name="result"),
    [tf.TensorSpec([3], tf.float32, "x")],
  )
  by_handle = {id(v.handle): v for v in variables}
  cells = {
    placeholder.op.name: Cell(
      v.name,
      v.dtype,
      options.get("shape", v.shape),
      True,
      **options.get("of", {}),
    )
    for outside, placeholder in wrapped.graph.captures
    for v in [by_handle[id(outside)]]
  }
  graph_def = inline.inline_calls(wrapped.graph.as_graph_def(add_shapes=True))
  run = options.get("run", ["result"])
  return *updates.state_as_values(graph_def, cells, run), "result"


def ops(graph_def):
  return [node.op for node in all_nodes(graph_def)]


def test_one_assignment_that_nothing_reads_stays_as_it_is():
  def fn(x, v):
    v.assign_sub(x)
    return x

  graph_def, names, _ = traced(fn, tf.zeros([3]))
  assert len(names) == 1
  assert ops(graph_def).count("AssignSubVariableOp") == 1
  assert "Sub" not in ops(graph_def)


def test_several_become_one():
  def fn(x, v):
    for _ in range(3):
      v.assign_add(x)
    return x * v

  graph_def, names, _ = traced(fn, tf.zeros([3]))
  (node,) = [n for n in graph_def.node if n.op in ASSIGNMENTS]
  assert [node.name] == names
  assert node.op == "AssignVariableOp"


def test_outputs_wait_for_nothing():
  def fn(x, v):
    with tf.control_dependencies([v.assign_add(x)]):
      return tf.identity(x)

  graph_def, _, _ = traced(fn, tf.zeros([3]))
  assert not [n for n in graph_def.node if any(i[0] == "^" for i in n.input)]


def test_functions_are_handed_values_in_the_place_of_variables():
  def fn(x, v):
    tf.cond(x[0] > 0, lambda: v.assign(x), lambda: v.assign_add(x))
    return x * v

  graph_def, names, _ = traced(fn, tf.zeros([3]))
  assert len(names) == 1
  for function in graph_def.library.function:
    types = [argument.type for argument in function.signature.input_arg]
    assert tf.resource.as_datatype_enum not in types
    assert not function.control_ret


def test_assignments_wait_for_those_who_read():
  def fn(x, v):
    old = v + 0.0
    v.assign(x)
    return old

  graph_def, names, _ = traced(fn, tf.zeros([3]))
  updates.assign_after_reads(graph_def, names)
  (node,) = [n for n in graph_def.node if n.name in names]
  (read,) = [n for n in graph_def.node if n.op == "ReadVariableOp"]
  assert node.input[-1] == f"^{read.name}"


def test_they_wait_for_nothing_that_their_values_come_from():
  def fn(x, v):
    v.assign(0.5 * v + x)
    return x

  graph_def, names, _ = traced(fn, tf.zeros([3]))
  updates.assign_after_reads(graph_def, names)
  assert not [n for n in graph_def.node if any(i[0] == "^" for i in n.input)]


def test_what_tf1_never_runs_is_dropped_with_a_warning(caplog):
  def fn(x, v):
    v.assign(x)
    return x

  _, names, _ = traced(fn, tf.zeros([3]), of={"unordered": True})
  assert names == []
  assert "UPDATE_OPS" in caplog.text


def _applied(x, v):
  tf.raw_ops.ResourceApplyGradientDescent(var=v.handle, alpha=0.1, delta=x)
  return x


def _applied_in_a_branch(x, v):
  tf.cond(x[0] > 0, lambda: (_applied(x, v), 1)[1], lambda: 0)
  return x


def _product_read(x, v):
  v.scatter_mul(tf.IndexedSlices(x[:1], [0]))
  return x * v


def _assigning_condition(x, v):
  _, y = tf.while_loop(
    lambda i, y: v.assign_add(x)[0] < 5.0, lambda i, y: (i + 1, y), (0, x)
  )
  return y


REFUSED = {
  "an optimizer": (_applied, "ResourceApplyGradientDescent"),
  "an optimizer in a branch": (_applied_in_a_branch, "within"),
  "a scattered product, read": (_product_read, "scattered product"),
  "a condition that assigns": (_assigning_condition, "condition of a loop"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_value_stands_for_is_refused_by_name(name):
  fn, problem = REFUSED[name]
  with pytest.raises(ValueError, match=problem) as raised:
    traced(fn, np.ones([3], np.float32))
  assert "Variable:0" in str(raised.value)


def test_slices_of_unknown_shapes_are_refused():
  def fn(x, v):
    v[0].assign(x[0])
    return x * v

  with pytest.raises(ValueError, match="static shape"):
    traced(fn, tf.zeros([3]), shape=tf.TensorShape([None]))
