# SPDX-License-Identifier: Apache-2.0
"""Reference variables of old graphs become resources, and nothing else does."""

from __future__ import annotations

import pytest

from hub_image_export.graph import graph_defs
from hub_image_export.graph.ref_variables import use_resources
from hub_image_export.tensorflow_api.compat import tf

v1 = tf.compat.v1


def graph_of(build):
  with tf.Graph().as_default() as graph:
    build(v1.get_variable("w", [2], use_resource=False))
  return use_resources(graph.as_graph_def())


def run(graph_def, fetches):
  """Runs the graph with a resource variable, [1, 2], in the place of `w`."""
  with tf.Graph().as_default(), v1.Session() as session:
    w = v1.get_variable("real", initializer=[1.0, 2.0], use_resource=True)
    kept = v1.GraphDef(versions=graph_def.versions)
    needed = graph_defs.prune(graph_def, fetches)
    kept.node.extend(n for n in needed.node if n.name != "w")
    for node in kept.node:
      node.attr.pop("_class", None)
    found = tf.import_graph_def(kept, {"w:0": w.handle}, fetches, name="")
    session.run(v1.global_variables_initializer())
    return [list(session.run(f)) for f in found], list(session.run(w))


def test_reading():
  graph_def = graph_of(lambda w: tf.add(w, 1.0, name="sum"))
  assert run(graph_def, ["sum:0"]) == ([[2.0, 3.0]], [1.0, 2.0])


@pytest.mark.parametrize(
  ("assign", "expected"),
  [
    (v1.assign, [5.0, 6.0]),
    (v1.assign_add, [6.0, 8.0]),
    (v1.assign_sub, [-4.0, -4.0]),
  ],
)
def test_what_an_assignment_returns_is_the_new_value(assign, expected):
  graph_def = graph_of(
    lambda w: tf.identity(assign(w, [5.0, 6.0]), name="after")
  )
  assert run(graph_def, ["after:0"]) == ([expected], expected)


def test_other_changes_are_refused():
  with pytest.raises(ValueError, match="ScatterAdd.*training=False"):
    graph_of(lambda w: v1.scatter_add(w, [0], [1.0]))


def test_graphs_without_such_variables_are_copied():
  with tf.Graph().as_default() as graph:
    v1.get_variable("w", [2], use_resource=True)
  graph_def = graph.as_graph_def()
  assert use_resources(graph_def) == graph_def
