# SPDX-License-Identifier: Apache-2.0
"""The author is told the oldest TensorFlow, and the node that is to blame."""

import pytest

from hub_image_export.graph.oldest_tensorflow import oldest_tensorflow
from hub_image_export.tensorflow_api.compat import tf
from tests.support.portability_cases import trace, trace_layers

_HERE = ".".join(tf.__version__.split(".")[:2])
_WEIGHT = tf.Variable([0.1, 0.2, 0.3])


def _loop(images):
  return tf.while_loop(
    lambda x: tf.reduce_sum(x) > 3.0, lambda x: x * _WEIGHT, [images]
  )


def _blamed(network, training=True):
  case = trace(network).portable()
  return oldest_tensorflow(case.graph_def, training)


@pytest.mark.parametrize("training", [False, True])
def test_usual_layers_load_in_tensorflow_1_15(training):
  layers = tf.keras.layers
  case = trace_layers(
    layers.Rescaling(2.0, -1.0),
    layers.Conv2D(4, 3, groups=1, activation="swish"),
    layers.BatchNormalization(),
    layers.DepthwiseConv2D(3),
    layers.Conv2D(4, 1, groups=2),
    layers.LayerNormalization(),
    layers.Dropout(0.5),
    layers.GlobalAveragePooling2D(),
    layers.Dense(2),
    training=training,
  ).portable()
  assert oldest_tensorflow(case.graph_def, training) == ("1.15", [])


def test_unknown_op():
  version, reasons = _blamed(lambda x: tf.math.erfinv(x, name="inverse"))
  assert version == _HERE
  assert reasons == ["inverse/Erfinv (Erfinv): TensorFlow 1.15 has no such op."]


def test_unknown_op_in_a_branch():
  def network(x):
    mean = tf.reduce_mean(x)
    return tf.cond(mean > 0, lambda: tf.math.erfinv(x), lambda: x)

  _, reasons = _blamed(network)
  assert "Erfinv" in reasons[0]


def test_missing_gradient_counts_in_training_only():
  version, reasons = _blamed(_loop)
  assert version == _HERE
  assert "While" in reasons[0]
  assert "gradient" in reasons[0]
  assert _blamed(_loop, training=False) == ("1.15", [])


def test_missing_gradient_in_a_branch():
  def network(x):
    diagonal = lambda: tf.einsum("bhhc->bhc", x * _WEIGHT)  # noqa: E731
    return tf.cond(x[0, 0, 0, 0] > 0.0, diagonal, lambda: x[0])

  _, reasons = _blamed(network)
  assert any("Einsum" in reason for reason in reasons)
  assert _blamed(network, training=False) == ("1.15", [])


def test_missing_gradient_before_all_variables_is_no_matter():
  def network(images):
    diagonal = tf.einsum("bhhc->bhc", images)  # Einsum has no gradient in 1.15.
    return diagonal * _WEIGHT

  assert _blamed(network) == ("1.15", [])
  version, _ = _blamed(lambda x: tf.einsum("bhhc->bhc", x * _WEIGHT))
  assert version == _HERE


def test_ops_without_any_gradient_are_not_held_against_1_15():
  network = lambda x: tf.image.adjust_contrast(x * _WEIGHT, 2.0)  # noqa: E731
  assert _blamed(network) == ("1.15", [])


def test_channels_first():
  graph_def = tf.compat.v1.GraphDef()
  node = graph_def.node.add(name="upside", op="Conv2DBackpropInput")
  node.attr["data_format"].s = b"NCHW"
  version, (reason,) = oldest_tensorflow(graph_def, False)
  assert (version, "upside" in reason, "NCHW" in reason) == (_HERE, True, True)


def test_type_without_a_kernel():
  def network(x):
    return tf.cast(tf.nn.softmax(tf.cast(x, tf.bfloat16)), tf.float32)

  _, reasons = _blamed(network)
  assert any("T=bfloat16" in reason for reason in reasons)


def test_value_that_1_15_does_not_know():
  network = lambda x: tf.raw_ops.MirrorPad(  # noqa: E731
    input=x, paddings=[[0, 0], [1, 1], [1, 1], [0, 0]], mode="REFLECT"
  )
  assert _blamed(network) == ("1.15", [])
  graph_def = tf.compat.v1.GraphDef()
  node = graph_def.node.add(name="pool", op="MaxPool")
  node.attr["padding"].s = b"EXPLICIT"
  _, reasons = oldest_tensorflow(graph_def, False)
  assert "padding=EXPLICIT" in reasons[0]


def test_functions_that_nothing_calls_do_not_count():
  """What is inlined, or not served, may stay in the library."""

  def network(x):
    tf.function(tf.math.erfinv)(x)
    return tf.cond(x[0, 0, 0, 0] > 0.0, lambda: x * _WEIGHT, lambda: x)

  traced = trace(network)
  assert any(
    node.op == "Erfinv"
    for function in traced.graph_def.library.function
    for node in function.node_def
  )
  portable = traced.portable().graph_def
  assert len(portable.library.function) == 2
  assert oldest_tensorflow(portable, True) == ("1.15", [])
