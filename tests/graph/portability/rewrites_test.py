# SPDX-License-Identifier: Apache-2.0
"""Each rewrite for TensorFlow 1.15 changes the ops, but no number.

Outputs, gradients (of the images and the variables) and the moving averages
after an update are those of the graph before.
"""

import numpy as np
import pytest

from hub_image_export.graph import portability
from hub_image_export.graph.portability import attributes, layout
from hub_image_export.tensorflow_api import known_ops
from hub_image_export.tensorflow_api.compat import tf
from tests.support import portability_cases as cases

_DYNAMIC = (None, None, None, 3)


def _variable(*shape):
  values = np.random.RandomState(2).uniform(-1.0, 1.0, shape)
  return tf.Variable(values.astype(np.float32))


_KERNEL = _variable(3, 3, 3, 4)
_VECTOR = _variable(3)
_MATRIX = _variable(3, 5)
_GROUPED = _variable(3, 3, 2, 9)
_SINGLE = _variable(3, 3, 1, 6)
_DEPTHWISE = _variable(3, 3, 3, 2)
_PADS = [[0, 0], [1, 0], [2, 1], [0, 0]]


def _batch_norm(factor):
  mean, variance = tf.Variable([0.1, 0.2, 0.3]), tf.Variable([1.0, 2.0, 3.0])

  def network(images):
    normed, new_mean, new_variance, *_ = tf.raw_ops.FusedBatchNormV3(
      x=images,
      scale=_VECTOR,
      offset=tf.ones([3]),
      mean=mean,
      variance=variance,
      exponential_avg_factor=factor,
    )
    mean.assign(new_mean)
    variance.assign(new_variance)
    return normed

  return network


def _six_channels(images):
  return tf.concat([images, tf.sin(images)], -1)


def _layer_norm(images):
  """As Keras 2 does it: a batch norm of the transposed images."""
  rows = tf.reshape(images, [1, -1, 3, 1])
  count = tf.shape(rows)[1]
  normed, *_ = tf.raw_ops.FusedBatchNormV3(
    x=rows,
    scale=tf.fill([count], 1.0),
    offset=tf.fill([count], 0.0),
    mean=[],
    variance=[],
    data_format="NCHW",
  )
  return tf.reshape(normed, tf.shape(images)) * _VECTOR


def _eye(images):
  return tf.linalg.diag(images)


def _conv(kernel, inputs=lambda x: x, **options):
  return lambda x: tf.nn.conv2d(inputs(x), kernel, **options)


_SAME = {"strides": 1, "padding": "SAME"}
# A network, and an op or an attribute value that must be gone.
_NETWORKS = {
  "average_outside_batch_norm": (_batch_norm(0.25), None),
  "average_outside_batch_norm, no average": (_batch_norm(1.0), None),
  "channels_last": (_layer_norm, None),
  "split_grouped_convolutions": (_conv(_GROUPED, _six_channels, **_SAME), None),
  "split_grouped_convolutions, strides": (
    _conv(_GROUPED, _six_channels, strides=2, padding="SAME"),
    None,
  ),
  "depthwise_convolutions": (_conv(_SINGLE, **_SAME), "Conv2D"),
  "pad_before": (
    lambda x: tf.nn.depthwise_conv2d(x, _DEPTHWISE, [1, 1, 1, 1], _PADS),
    None,
  ),
  "pad_before, pooling": (
    lambda x: tf.nn.max_pool2d(-x, 3, 2, _PADS),
    None,
  ),
  "undilate_convolutions": (_conv(_KERNEL, dilations=2, **_SAME), None),
  "undilate_convolutions, valid": (
    _conv(_KERNEL, strides=1, padding="VALID", dilations=[2, 3]),
    None,
  ),
  "older_matrix_diag": (_eye, "MatrixDiagV3"),
}
_EINSUMS = {
  "matrix": lambda x: tf.einsum("bhwc,cd->bhwd", x, _MATRIX),
  "ellipsis": lambda x: tf.einsum("...c,cd->...d", x, _MATRIX),
  "heads": lambda x: tf.einsum("bhwc,xyco->bhwxyo", x, _KERNEL),
  "scores": lambda x: tf.einsum("bhwc,bhvc->bhvw", x, x),
  "weighted sum": lambda x: tf.einsum(
    "bhwv,bvkc->bwkhc", tf.einsum("bhwc,bhvc->bhwv", x, x), x
  ),
  "contract two": lambda x: tf.einsum("bhwc,bhwd->bcd", x, x),
  "vector": lambda x: tf.einsum("bhwc,c->bhw", x, _VECTOR),
  "scale": lambda x: tf.einsum("bhwc,c->bhwc", x, _VECTOR),
  "scalar": lambda x: tf.einsum("c,c->", x[0, 0, 0], _VECTOR),
  "outer": lambda x: tf.einsum("bhwc,d->bhwcd", x, _VECTOR),
  "sum": lambda x: tf.einsum("bhwc->cb", x),
  "sum one": lambda x: tf.einsum("bhwc,cd->bd", x, _MATRIX),
  "transpose": lambda x: tf.einsum("bhwc->bwhc", x),
}


def _assert_same_numbers(network, shape):
  before = cases.trace(network, shape)
  after = before.portable()
  cases.assert_equal(cases.run(after), cases.run(before))
  return before, after


@pytest.mark.parametrize("shape", [(None, 8, 8, 3), _DYNAMIC], ids=str)
@pytest.mark.parametrize("name", _NETWORKS)
def test_rewrites_change_no_number(name, shape):
  network, gone = _NETWORKS[name]
  before, after = _assert_same_numbers(network, shape)
  rewrite = getattr(portability, name.partition(",")[0])
  assert rewrite in portability.REWRITES
  assert rewrite(before.graph_def) > 0  # It is this one that was needed.
  assert rewrite(after.graph_def) == 0
  if gone:
    assert gone not in after.ops()


@pytest.mark.parametrize("shape", [(None, 8, 8, 3), _DYNAMIC], ids=str)
@pytest.mark.parametrize(
  "kernel, options", [(_SINGLE, {}), (_KERNEL, {"dilations": 3})]
)
def test_explicit_paddings_pad_the_same(kernel, options, shape):
  """Compared with padding before: not all CPU kernels have the gradient."""
  network = _conv(kernel, strides=1, padding=_PADS, **options)
  padded = _conv(
    kernel, lambda x: tf.pad(x, _PADS), strides=1, padding="VALID", **options
  )
  actual = cases.run(cases.trace(network, shape).portable())
  cases.assert_equal(actual, cases.run(cases.trace(padded, shape)))


@pytest.mark.parametrize("shape", [(None, 8, 8, 3), _DYNAMIC], ids=str)
@pytest.mark.parametrize("name", _EINSUMS)
def test_einsum_becomes_a_matrix_product(name, shape):
  before, after = _assert_same_numbers(_EINSUMS[name], shape)
  assert "Einsum" in before.ops()
  assert "Einsum" not in after.ops()


def test_a_diagonal_is_no_matrix_product_and_stays():
  before = cases.trace(lambda x: tf.einsum("bhhc->bhc", x))
  assert "Einsum" in before.portable().ops()


def test_static_shapes_survive():
  """C3: the number of features stays known."""
  network = _EINSUMS["matrix"]
  after = cases.trace(network, _DYNAMIC).portable()
  with tf.Graph().as_default() as graph:
    tf.graph_util.import_graph_def(after.runnable()[0], name="")
  assert graph.get_tensor_by_name("result:0").shape[-1] == 5


_CHANNELS_FIRST = {
  "Conv2D": lambda x: tf.nn.conv2d(x, _KERNEL, 2, "SAME", data_format="NCHW"),
  "DepthwiseConv2dNative": lambda x: tf.nn.depthwise_conv2d(
    x, _DEPTHWISE, [1, 1, 2, 2], "SAME", data_format="NCHW"
  ),
  "AvgPool": lambda x: tf.nn.avg_pool2d(x, 3, 2, "SAME", data_format="NCHW"),
  "MaxPool": lambda x: tf.nn.max_pool2d(x, 3, 2, "SAME", data_format="NCHW"),
}


@pytest.mark.parametrize("op", _CHANNELS_FIRST)
def test_channels_first_networks_compute_what_channels_last_do(op):
  """Compared with NHWC: not all CPU kernels can compute NCHW right."""

  def transposed(images):
    images = tf.transpose(images, [0, 3, 1, 2])
    return tf.transpose(_CHANNELS_FIRST[op](images), [0, 2, 3, 1])

  last = {
    "Conv2D": lambda x: tf.nn.conv2d(x, _KERNEL, 2, "SAME"),
    "DepthwiseConv2dNative": lambda x: tf.nn.depthwise_conv2d(
      x, _DEPTHWISE, [1, 2, 2, 1], "SAME"
    ),
    "AvgPool": lambda x: tf.nn.avg_pool2d(x, 3, 2, "SAME"),
    "MaxPool": lambda x: tf.nn.max_pool2d(x, 3, 2, "SAME"),
  }[op]
  traced = cases.trace(transposed)
  assert layout.channels_last(cases.trace(transposed).graph_def) == 1
  actual = cases.run(traced.portable())
  cases.assert_equal(actual, cases.run(cases.trace(last)))


def test_attributes_at_their_default_and_hints_are_dropped():
  graph_def = cases.trace(lambda x: tf.nn.max_pool2d(x, 2, 2, "SAME")).graph_def
  handle = graph_def.node.add(name="v", op="VarHandleOp")
  handle.attr["debug_name"].s = b"v"
  assign = graph_def.node.add(name="a", op="AssignVariableOp", input=["v"])
  assign.attr["validate_shape"].b = True
  before = graph_def.SerializeToString()
  portable = portability.make_portable(graph_def)
  assert graph_def.SerializeToString() == before  # Its argument is not touched.
  known = known_ops.in_tensorflow_1_15()
  for node in portable.node:
    attrs = {name for name in node.attr if not name.startswith("_")}
    assert attrs <= set(known[node.op]["attrs"])


def test_unknown_attributes_that_matter_are_kept():
  graph_def = tf.compat.v1.GraphDef()
  node = graph_def.node.add(name="m", op="MatMul")
  node.attr["grad_a"].b = True
  assert attributes.drop_unknown_attributes(graph_def) == 0
  assert node.attr["grad_a"].b


def test_colocations_are_dropped():
  graph_def = tf.compat.v1.GraphDef()
  node = graph_def.node.add(name="m", op="NoOp")
  node.attr["_class"].list.s.append(b"loc:@gone")
  assert not portability.make_portable(graph_def).node[0].attr


def test_mixed_batch_products_stay():
  graph_def = tf.compat.v1.GraphDef()
  for name, types in (("same", (1, 1, 1)), ("mixed", (4, 4, 3))):
    node = graph_def.node.add(name=name, op="BatchMatMulV3", input=["x", "y"])
    for key, value in zip(("Ta", "Tb", "Tout"), types):
      node.attr[key].type = value
  ops = [node.op for node in portability.make_portable(graph_def).node]
  assert ops == ["BatchMatMulV2", "BatchMatMulV3"]
