# SPDX-License-Identifier: Apache-2.0
"""Taking softmax and sigmoid off in a graph: unit tests (C7).

`tests/conformance/logits_test.py` has the same for whole modules.
"""

from __future__ import annotations

import numpy as np
import pytest

from hub_image_export.graph import logits
from hub_image_export.tensorflow_api.compat import tf

v1 = tf.compat.v1


def stripped(fn, shape=(4,)):
  """What `strip_activation` returns, and the graphs before and after."""
  with tf.Graph().as_default() as graph:
    scores = v1.placeholder(tf.float32, [None, *shape], "scores")
    output = tf.ensure_shape(fn(scores), [None, None])
    output = tf.identity(output, "output")
    before = graph.as_graph_def(add_shapes=True)
  after = v1.GraphDef()
  after.CopyFrom(before)
  return logits.strip_activation(after, output.name), before, after


def value(graph_def, shape):
  with tf.Graph().as_default() as graph:
    tf.import_graph_def(graph_def, name="")
  scores = np.random.RandomState(0).normal(0, 2, [5, *shape])
  with v1.Session(graph=graph) as session:
    return session.run("output:0", {"scores:0": scores})


def two_classes(x):
  return tf.concat([1.0 - tf.sigmoid(x), tf.sigmoid(x)], axis=1)


def flat(x, size=4):
  return tf.reshape(x, [tf.shape(x)[0], size])


POINT, MAP = (1, 1, 4), (2, 3, 4)
SOFTMAX = {
  "alone": (tf.nn.softmax, (4,)),
  "identity": (lambda x: tf.identity(tf.identity(tf.nn.softmax(x))), (4,)),
  "half": (lambda x: cast_to(tf.float16, tf.nn.softmax, x), (4,)),
  "double": (lambda x: cast_to(tf.float64, tf.nn.softmax, x), (4,)),
  "reshape": (lambda x: flat(tf.nn.softmax(x)), POINT),
  "squeeze": (lambda x: tf.squeeze(tf.nn.softmax(x), [1, 2]), POINT),
  "index": (lambda x: tf.nn.softmax(x)[:, 0, 0], POINT),
  "one_of_a_map": (lambda x: tf.nn.softmax(x)[:, 1, 2], MAP),
  "first_axis": (lambda x: tf.nn.softmax(x, axis=1)[:, :, 0], (4, 1)),
  "reversed": (lambda x: tf.reverse(tf.nn.softmax(x), [1]), (4,)),
  "in_order": (
    lambda x: tf.gather(tf.nn.softmax(x), [2, 0, 3, 1], axis=1),
    (4,),
  ),
  "size_of_others": (
    lambda x: tf.reshape(tf.nn.softmax(x), [tf.shape(tf.exp(x))[0], 4]),
    POINT,
  ),
  "split": (lambda x: tf.concat(tf.split(tf.nn.softmax(x), 2, 1), 1), (4,)),
  "half_reshape": (
    lambda x: flat(cast_to(tf.float16, tf.nn.softmax, x)),
    POINT,
  ),
}
SIGMOID = {
  "alone": (tf.sigmoid, (4,)),
  "identity_n": (lambda x: tf.identity_n([x, tf.sigmoid(x)])[1], (4,)),
  "reshape": (lambda x: flat(tf.sigmoid(x), 24), MAP),
  "slice": (lambda x: tf.sigmoid(x)[:, 1:], (4,)),
  "concat": (lambda x: tf.concat([tf.sigmoid(x), tf.sigmoid(2 * x)], 1), (4,)),
  "stack": (lambda x: tf.stack(tf.unstack(tf.sigmoid(x), axis=1), 1), (4,)),
  "transpose": (
    lambda x: flat(tf.transpose(tf.sigmoid(x), [0, 2, 1]), 6),
    (2, 3),
  ),
  "pooled": (lambda x: tf.reduce_max(tf.sigmoid(x), [1, 2]), MAP),
  "either": (lambda x: tf.maximum(tf.sigmoid(x), tf.sigmoid(-3 * x)), (4,)),
  "two_classes": (two_classes, (1,)),
}


def cast_to(dtype, activation, x):
  return tf.cast(activation(tf.cast(x, dtype)), tf.float32)


def check_taken_off(activation, fn, shape):
  found, before, after = stripped(fn, shape)
  assert found == activation.__name__.replace("_v2", "")
  scores, probabilities = value(after, shape), value(before, shape)
  assert np.any((scores < 0) | (scores > 1))
  np.testing.assert_allclose(activation(scores), probabilities, atol=2e-3)


@pytest.mark.parametrize("case", SOFTMAX)
def test_a_softmax_is_taken_off(case):
  check_taken_off(tf.nn.softmax, *SOFTMAX[case])


@pytest.mark.parametrize("case", SIGMOID)
def test_a_sigmoid_is_taken_off(case):
  check_taken_off(tf.sigmoid, *SIGMOID[case])


STAYS = {
  "linear": (lambda x: x, (4,)),
  "relu": (tf.nn.relu, (4,)),
  "tanh": (tf.tanh, (4,)),
  "percent": (lambda x: 100.0 * tf.nn.softmax(x), (4,)),
  "residual": (lambda x: tf.nn.softmax(x) + x, (4,)),
  "log_softmax": (tf.nn.log_softmax, (4,)),
  "rounded": (lambda x: cast_to(tf.int32, tf.identity, tf.sigmoid(x)), (4,)),
  "background_cut_off": (lambda x: tf.nn.softmax(x)[:, 1:], (4,)),
  "class_twice": (
    lambda x: tf.gather(tf.nn.softmax(x), [0, 1, 1], axis=1),
    (3,),
  ),
  "map_of_softmaxes": (lambda x: flat(tf.nn.softmax(x), 24), MAP),
  "wrong_axis": (lambda x: tf.squeeze(tf.nn.softmax(x, axis=1)), (4, 4)),
  "two_softmaxes": (
    lambda x: tf.concat([tf.nn.softmax(x), tf.nn.softmax(-x)], 1),
    (4,),
  ),
  "mixed": (lambda x: tf.concat([tf.nn.softmax(x), tf.sigmoid(x)], 1), (4,)),
  "largest": (lambda x: tf.maximum(tf.nn.softmax(x), tf.nn.softmax(-x)), (4,)),
  "mean": (lambda x: (tf.sigmoid(x) + tf.sigmoid(2 * x)) / 2, (4,)),
  "clipped": (lambda x: tf.clip_by_value(tf.nn.softmax(x), 0.1, 0.9), (4,)),
  "padded": (lambda x: tf.pad(tf.sigmoid(x), [[0, 0], [1, 0]]), (4,)),
  "two_minus": (lambda x: 2.0 - tf.sigmoid(x), (4,)),
}


@pytest.mark.parametrize("case", STAYS)
def test_what_is_no_final_activation_stays(case):
  found, before, after = stripped(*STAYS[case])
  assert found is None
  assert after == before


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
