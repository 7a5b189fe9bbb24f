# SPDX-License-Identifier: Apache-2.0
"""Taking softmax and sigmoid off in a graph: unit tests (C7).

`tests/conformance/logits_test.py` has the same for whole modules.
"""

from __future__ import annotations

import pytest

from hub_image_export.graph import logits
from hub_image_export.tensorflow_api.compat import tf

v1 = tf.compat.v1


def stripped(fn):
  """What `strip_activation` returns, and the graph's last op but one."""
  with tf.Graph().as_default() as graph:
    scores = v1.placeholder(tf.float32, [None, 4], "scores")
    output = tf.identity(fn(scores), "output")
    graph_def = graph.as_graph_def()
  found = logits.strip_activation(graph_def, output.name)
  nodes = {node.name: node for node in graph_def.node}
  return found, nodes[nodes["output"].input[0].split(":")[0]]


def cast_twice(x):
  return tf.cast(tf.nn.softmax(tf.cast(x, tf.float16)), tf.float32)


@pytest.mark.parametrize(
  ("fn", "activation"),
  [
    (tf.nn.softmax, "softmax"),
    (tf.nn.sigmoid, "sigmoid"),
    (lambda x: tf.identity(tf.identity(tf.nn.softmax(x))), "softmax"),
    (lambda x: tf.identity_n([x, tf.nn.sigmoid(x)])[1], "sigmoid"),
  ],
)
def test_activations_are_taken_off(fn, activation):
  found, last = stripped(fn)
  assert found == activation
  assert last.name == "scores"


def test_the_type_of_the_output_stays():
  found, last = stripped(cast_twice)
  assert found == "softmax"
  assert last.op == "Cast"
  assert last.attr["SrcT"].type == tf.float16.as_datatype_enum
  assert last.attr["DstT"].type == tf.float32.as_datatype_enum


@pytest.mark.parametrize(
  "fn",
  [
    lambda x: x,
    tf.nn.relu,
    tf.tanh,
    lambda x: 2.0 * tf.nn.softmax(x),
    lambda x: tf.nn.softmax(x) + x,
    tf.nn.log_softmax,
  ],
  ids=["linear", "relu", "tanh", "scaled", "residual", "log_softmax"],
)
def test_what_is_no_final_activation_stays(fn):
  found, last = stripped(fn)
  assert found is None
  assert last == stripped(fn)[1]


def test_other_readers_keep_the_probabilities():
  with tf.Graph().as_default() as graph:
    scores = v1.placeholder(tf.float32, [None, 4], "scores")
    probabilities = tf.nn.softmax(scores, name="probabilities")
    output = tf.identity(probabilities, "output")
    tf.identity(probabilities, "endpoint")
    graph_def = graph.as_graph_def()
  assert logits.strip_activation(graph_def, output.name) == "softmax"
  nodes = {node.name: node for node in graph_def.node}
  assert list(nodes["output"].input) == ["scores"]
  assert list(nodes["endpoint"].input) == ["probabilities"]
