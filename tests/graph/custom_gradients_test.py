# SPDX-License-Identifier: Apache-2.0
"""Registered gradients never leave the process; other ones are told of."""

from __future__ import annotations

import re

import numpy as np
import pytest

import hub_image_export as hie
from hub_image_export.graph import custom_gradients as gradients
from hub_image_export.tensorflow_api.compat import tf
from tests.support import fresh_process, gradient_cases as cases
from tests.support.consumer import random_images
from tests.support.live import objective

v1 = tf.compat.v1
NATURAL, UNNATURAL = cases.NATURAL, cases.UNNATURAL
_TASK = "image_feature_vector"
_ROUNDING = {"swish_of_16_bits": 2e-3, "swish_of_bfloat16": 3e-2}
# Natural ones that no module can be made of.
_NO_NETWORKS = {"sparse", "of_what_it_checks"}


def trace(fn, shape=(None, 4)):
  spec = tf.TensorSpec(shape, tf.float32, "x")
  return v1.wrap_function(lambda x: tf.identity(fn(x)), [spec])


def _unnatural(graph):
  return gradients.unnatural_gradients(graph, graph.as_graph_def())


def found(fn):
  return _unnatural(trace(fn).graph)


@pytest.mark.parametrize("name", NATURAL)
def test_natural_gradients_are_no_finding(name):
  assert found(NATURAL[name]) == {}


@pytest.mark.parametrize("name", UNNATURAL)
def test_other_gradients_are_found_as_often_as_one_looks(name):
  graph = trace(UNNATURAL[name]).graph
  first = _unnatural(graph)
  assert len(first) == (2 if name == "float8" else 1)
  assert _unnatural(graph).keys() == first.keys()


@pytest.mark.parametrize(
  "name, what",
  [
    ("reverse", r"for x it gives -?[\d.]+ where TensorFlow gives -?[\d.]+"),
    ("clip_at_a_lot", "upstream gradients of size 1e[+]08"),
    ("without_a_natural_one", "TensorFlow has none: .*AdjustContrastv2"),
    ("of_another_shape", r"the shape \(2, 1\) where TensorFlow gives \(2, 4\)"),
    ("for_a_variable", "ReadVariableOp it gives 0 where"),
    ("beside_a_tensor", "for Exp it gives 0 where"),
  ],
)
def test_it_tells_what_is_wrong(name, what):
  (sentence,) = found(UNNATURAL[name]).values()
  assert re.search(what, sentence), sentence


def test_what_fails_is_told():
  def failing(dy):
    raise KeyError("the author's own")

  (sentence,) = found(cases.of_upstream(failing)).values()
  assert sentence == 'cannot be compared (KeyError: "the author\'s own")'


def test_gradients_of_a_loaded_model_are_told_of(caplog):
  """They are not known in this process."""
  graph = trace(cases.reverse).graph
  graph_def = graph.as_graph_def()
  for node in graph_def.node:
    if "_gradient_op_type" in node.attr:
      node.attr["_gradient_op_type"].s = b"CustomGradient-of-another-process"

  def loaded(x):
    return tf.graph_util.import_graph_def(
      graph_def, {"x:0": x}, [graph.outputs[0].name]
    )[0]

  assert found(loaded) == {}
  assert "is not known in this process" in caplog.text


def test_the_check_leaves_functions_as_they_are():
  """A `tf.function` is traced once: each check finds the same in it."""
  fn = tf.function(cases.reverse)
  names = [list(found(fn)) for _ in range(3)]
  assert names == [["IdentityN"]] * 3
  x = tf.constant([[1.0, 2.0, 3.0, 4.0]])
  with tf.GradientTape() as tape:
    tape.watch(x)
    y = tf.reduce_sum(fn(x))
  assert tape.gradient(y, x).numpy().tolist() == [[-1.0] * 4]


def test_the_attribute_is_dropped_everywhere():
  graph_def = trace(UNNATURAL["in_a_function"]).graph.as_graph_def()
  assert b"_gradient_op_type" in graph_def.SerializeToString()
  gradients.drop_custom_gradients(graph_def)
  assert b"_gradient_op_type" not in graph_def.SerializeToString()


@pytest.mark.slow
@pytest.mark.parametrize(
  "name", ["EfficientNetB0", "MobileNetV3Small", "ConvNeXtTiny"]
)
def test_applications_are_natural(name):
  model = getattr(tf.keras.applications, name)(
    weights=None, input_shape=(32, 32, 3), include_top=False, pooling="avg"
  )
  graph = trace(lambda x: model(x, training=True), (None, 32, 32, 3)).graph
  assert _unnatural(graph) == {}


def test_mixed_precision_is_natural():
  tf.keras.mixed_precision.set_global_policy("mixed_float16")
  try:
    layers = tf.keras.layers
    model = tf.keras.Sequential(
      [
        tf.keras.Input((4,)),
        layers.Dense(4, activation="swish"),
        layers.LayerNormalization(),
        layers.Activation("softplus"),
        layers.Dense(4, activation="swish"),
      ]
    )
  finally:
    tf.keras.mixed_precision.set_global_policy("float32")
  assert found(lambda x: model(x, training=True)) == {}


class _Network:
  """A function for a builder, with something in its middle."""

  def __init__(self, middle):
    self.kernel = tf.Variable(
      np.linspace(-1.0, 2.0, 12).reshape(3, 4), dtype=tf.float32, name="kernel"
    )
    self._middle = middle

  def __call__(self, images, is_training):
    x = tf.matmul(tf.reduce_mean(images, [1, 2]), self.kernel)
    return self._middle(x) * (2.0 if is_training else 1.0)


def _module(middle, **options):
  return hie.make_feature_vector_module(_Network(middle), 12, 10, **options)


@pytest.mark.parametrize("name", UNNATURAL)
def test_modules_that_would_fine_tune_otherwise_are_refused(name):
  with pytest.raises(ValueError, match="allow_custom_gradients=True"):
    _module(UNNATURAL[name])


def test_so_are_those_whose_only_variant_would():
  """A source that trains as it infers is fine-tuned in that one variant."""
  network = _Network(cases.reverse)

  def source(images):
    return network(images, False)

  with pytest.raises(ValueError, match="allow_custom_gradients=True"):
    hie.make_feature_vector_module(source, 12, 10)
  for options in ({"allow_custom_gradients": True}, {"training": False}):
    spec = hie.make_feature_vector_module(source, 12, 10, **options)
    assert len(spec.get_tags()) == 1


def test_they_can_be_accepted_or_need_no_training():
  accepted = _module(cases.reverse, allow_custom_gradients=True)
  assert len(accepted.get_tags()) == 2
  assert len(_module(cases.reverse, training=False).get_tags()) == 1


@pytest.mark.slow
def test_accepted_ones_train_elsewhere_as_here(tmp_path_factory):
  """In a process that knows no custom gradient."""
  jobs, expected = {}, {}
  for name in sorted(NATURAL.keys() - _NO_NETWORKS):
    network = _Network(NATURAL[name])
    spec = hie.make_feature_vector_module(network, 12, 10)
    path = str(tmp_path_factory.mktemp("module") / name)
    spec.export(path)
    jobs[name] = {
      "path": path,
      "variants": [["train"]],
      "tasks": [_TASK],
      "size": [12, 10],
    }
    images = tf.constant(random_images(4, 12, 10))
    with tf.GradientTape() as tape:
      value = objective({_TASK: network(images, True)})
    expected[name] = tape.gradient(value, network.kernel).numpy()
  results = fresh_process.run(
    "gradients", jobs, tmp_path_factory.mktemp("results")
  )
  for name, gradient in expected.items():
    assert "error" not in results[name], (name, results[name]["error"])
    np.testing.assert_allclose(
      results[name]["train|kernel"],
      gradient,
      _ROUNDING.get(name, 1e-4),
      1e-5,
      err_msg=name,
    )
