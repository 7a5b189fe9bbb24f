# SPDX-License-Identifier: Apache-2.0
"""What functions return, sorted into tasks and endpoints."""

from __future__ import annotations

import pytest

from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tracing.layer_calls import LayerCall, LayerCalls
from hub_image_export.tracing.returned import Request

FEATURES, CLASSES = "image_feature_vector", "image_classification"


@pytest.fixture(autouse=True)
def _in_a_graph():
  """Shapes with unknown dimensions exist in graphs alone."""
  with tf.Graph().as_default():
    yield


def placeholder(shape=(None, 3), dtype=tf.float32):
  return tf.compat.v1.placeholder(dtype, shape)


def interpret(returned, layers=None, tasks=(FEATURES,), **request):
  return Request(tasks, **request).interpret(returned, layers or LayerCalls())


def test_one_tensor():
  x = placeholder()
  for returned in (x, (x, {}), [x, {}], {"default": x}, ({"default": x}, {})):
    results = interpret(returned)
    assert results.tasks == {FEATURES: x}
    assert results.endpoints == {}


def test_endpoints():
  x, a, b = placeholder(), placeholder(), placeholder([None, 4, 4, 2])
  for returned in (
    (x, {"b": b, "a": a}),
    {"default": x, "a": a, "b": b},
    ({"default": x, "a": a}, {"b": b}),
  ):
    assert list(interpret(returned).endpoints) == ["a", "b"]
    prefixed = interpret(returned, arch_name="Net").endpoints
    assert prefixed == {"Net/a": a, "Net/b": b}


def test_several_tasks():
  x, y, a = placeholder(), placeholder(), placeholder()
  for returned in (
    {FEATURES: x, CLASSES: y, "a": a},
    ({FEATURES: x, CLASSES: y}, {"a": a}),
  ):
    results = interpret(returned, tasks=None)
    assert results.tasks == {FEATURES: x, CLASSES: y}
    assert results.endpoints == {"a": a}


def test_half_precision_becomes_float32():
  for dtype in (tf.float16, tf.bfloat16, tf.float64):
    x = placeholder(dtype=dtype)
    results = interpret((x, {"a": x}))
    assert results.tasks[FEATURES].dtype == tf.float32
    half = dtype != tf.float64
    assert (results.endpoints["a"].dtype == tf.float32) == half


def test_endpoints_of_any_type_and_shape():
  """C10 leaves them to the module."""
  found = interpret(
    (placeholder(), {"ids": placeholder([None], tf.int64), "n": tf.zeros([])})
  )
  assert found.endpoints["ids"].dtype == tf.int64
  assert found.endpoints["n"].shape.rank == 0


class _Layer:
  def __init__(self, name):
    self.name = name


def _calls(*named):
  return LayerCalls([LayerCall(_Layer(name), y, 0) for name, y in named])


def test_layers_by_name():
  a, b = placeholder(), placeholder()
  layers = _calls(("a", a), ("b", b))
  found = interpret(placeholder(), layers, endpoints=("b",), arch_name="Net")
  assert found.endpoints == {"Net/b": b}
  with pytest.raises(ValueError, match="endpoints: there is no layer.*'c'"):
    interpret(placeholder(), layers, endpoints=("c",))


def test_layers_whose_name_repeats():
  a, b = placeholder(), placeholder()
  with pytest.raises(ValueError, match="2 layers of the name 'a'"):
    interpret(a, _calls(("a", a), ("a", b)), endpoints=("a",))
  layer = _Layer("a")
  calls = LayerCalls([LayerCall(layer, a, 0), LayerCall(layer, b, 0)])
  with pytest.raises(ValueError, match="2 calls of the name 'a'"):
    interpret(a, calls, endpoints=("a",))


def test_a_feature_layer():
  scores, features = placeholder(), placeholder([None, 5])
  layers = _calls(("features", features))
  results = interpret(
    scores,
    layers,
    tasks=None,
    feature_layer="features",
    endpoints=("features",),
  )
  assert results.tasks == {CLASSES: scores, FEATURES: features}
  assert results.endpoints == {"features": features}


def test_a_feature_map_is_averaged_over_space():
  feature_map = placeholder([None, 4, 4, 7])
  results = interpret(
    placeholder(),
    _calls(("map", feature_map)),
    tasks=None,
    feature_layer="map",
  )
  assert results.tasks[FEATURES].shape.as_list() == [None, 7]


def test_a_feature_layer_of_another_rank():
  with pytest.raises(ValueError, match="expected .batch_size, width"):
    interpret(
      placeholder(),
      _calls(("seq", placeholder([None, 4, 7]))),
      tasks=None,
      feature_layer="seq",
    )


def test_endpoints_given_twice():
  x = placeholder()
  with pytest.raises(ValueError, match="same name.*'a'"):
    interpret(({"default": x, "a": x}, {"a": x}))
  with pytest.raises(ValueError, match="two endpoints are called 'a'"):
    interpret((x, {"a": x}), _calls(("a", x)), endpoints=("a",))


def test_variables_are_tensors():
  with tf.init_scope():
    variable = tf.Variable(tf.zeros([2, 2]))
  found = interpret((placeholder(), {"weights": variable}))
  assert set(found.endpoints) == {"weights"}
