# SPDX-License-Identifier: Apache-2.0
"""Functions of TF1 are traced by TF1's rules, and those of TF2 by TF2's."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import hub_image_export as hie
from hub_image_export.errors import SourceError
from hub_image_export.tensorflow_api.compat import tf
from tests.support.consumer import Consumer, random_images
from tests.support.live import GraphLive, Source

v1 = tf.compat.v1
_IMAGES = random_images(3, 6, 5)
_TASK = "image_feature_vector"


def _kernel(name="k"):
  initializer = v1.random_uniform_initializer(0.5, 2.0)
  return v1.get_variable(name, [3, 3], initializer=initializer)


def _layer(x, name="k"):
  return tf.matmul(x, _kernel(name))


def _pooled(images):
  return tf.reduce_mean(images, [1, 2])


def _variable_in_list(images, is_training=False):
  first, second = _kernel("a"), _kernel("b")
  known = [first]
  x = tf.matmul(_pooled(images), first)
  return x if second in known else tf.matmul(x, second)


def _variables_as_keys(images, is_training=False):
  kernels = {_kernel("a"): 1.0, _kernel("b"): 2.0}
  x = _pooled(images)
  for kernel, scale in kernels.items():
    x = scale * tf.matmul(x, kernel)
  return x * (2.0 if is_training else 1.0)


def _tensors_as_keys(images, is_training=False):
  depth = {images: 0}
  x = _layer(_pooled(images))
  depth[x] = depth[images] + 1
  return x * float(depth[x] + len({x, x, images}))


def _tensor_in_list(images, is_training=False):
  x = _pooled(images)
  y = _layer(x)
  assert y not in [x] and x in [y, x]
  return y * float([x, y].index(y))


def _compared(images, is_training=False):
  """Nothing raises by either rule: identity is what TF1 computes."""
  x = _layer(_pooled(images))
  return tf.where(tf.fill(tf.shape(x), x == tf.identity(x)), x, 2.0 * x)


def _different(images, is_training=False):
  x = _layer(_pooled(images))
  return x if x != _pooled(images) else 2.0 * x


def _in_a_custom_getter(images, is_training=False):
  """As tf_slim and SimCLR keep what they have made."""
  made = {}

  def custom_getter(getter, name, *args, **kwargs):
    variable = getter(name, *args, **kwargs)
    made.setdefault(variable, name)
    return variable

  with v1.variable_scope("net", custom_getter=custom_getter):
    x = _layer(_pooled(images))
  assert sorted(made.values()) == ["net/k"]
  return x


def _layers(images, is_training=False):
  x = v1.layers.dense(_pooled(images), 3, name="d")
  x = v1.layers.batch_normalization(x, training=is_training, name="bn")
  return x * {x: 3.0}[x]


_FUNCTIONS = [
  _variable_in_list,
  _variables_as_keys,
  _tensors_as_keys,
  _tensor_in_list,
  _compared,
  _different,
  _in_a_custom_getter,
]
if tf.__version__ < "2.16":
  _FUNCTIONS.append(_layers)


@pytest.mark.parametrize("fn", _FUNCTIONS, ids=lambda fn: fn.__name__)
def test_functions_of_tf1(fn, tmp_path):
  path = str(tmp_path / "m")
  hie.make_feature_vector_module(fn, 6, 5).export(path)
  live = GraphLive(Source(fn, None, None), _TASK, f"{path}/variables/variables")
  consumer = Consumer(path)
  found = consumer.run(consumer.outputs["default"], _IMAGES)["default"]
  expected = live.outputs(_IMAGES)[_TASK]
  np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_functions_of_tf2_compare_elements(tmp_path):
  weights = tf.Variable([[1.0, 0.0, 2.0]])

  def fn(images):
    return tf.where(weights == 0.0, 5.0, _pooled(images) * weights)

  def branching(images):
    if tf.reduce_sum(weights) == 3.0:
      return fn(images)
    return fn(images) * 0.0

  for function in (fn, branching):
    path = str(tmp_path / function.__name__)
    hie.make_feature_vector_module(function, 6, 5).export(path)
    consumer = Consumer(path)
    found = consumer.run(consumer.outputs["default"], _IMAGES)["default"]
    expected = fn(tf.constant(_IMAGES)).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("made_before", [True, False])
def test_what_fails_by_both_rules_says_so(made_before):
  def fn(images):
    if made_before:
      _kernel()
    return {images: 1}["no such key"]

  with pytest.raises(SourceError, match="unhashable|no such key"):
    hie.make_feature_vector_module(fn, 6, 5)


def test_other_threads_keep_their_rules():
  """They run while the function does, and afterwards all is as it was."""
  found, rules = [], []

  def elsewhere():
    x = tf.constant([1.0, 2.0])
    found.append((x == [1.0, 3.0]).numpy().tolist())
    rules.append(type(tf.TensorShape([3])[0]))

  def fn(images):
    assert _kernel("a") not in [_kernel("b")]
    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    return _pooled(images)

  flag = tf.Tensor._USE_EQUALITY
  hie.make_feature_vector_module(fn, 6, 5)
  elsewhere()
  assert found == [[True, False]] * len(found)
  assert len(found) > 1
  assert set(rules) == {int}
  assert tf.Tensor._USE_EQUALITY is flag
