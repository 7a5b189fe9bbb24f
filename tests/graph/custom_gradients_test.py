"""Registered gradients never leave the process; other ones are told of."""

from __future__ import annotations

import pytest

import hub_image_export as hie
from hub_image_export.graph import custom_gradients as gradients
from hub_image_export.tensorflow_api.compat import tf

v1 = tf.compat.v1


@tf.custom_gradient
def straight_through(x):
  return tf.round(x), lambda dy: dy


@tf.custom_gradient
def reverse(x):
  return tf.identity(x), lambda dy: -dy


@tf.custom_gradient
def square(x):
  """Its gradient is the natural one."""
  return x * x, lambda dy: 2.0 * x * dy


@tf.custom_gradient
def clip_gradient(x):
  return tf.identity(x), lambda dy: tf.clip_by_value(dy, -0.01, 0.01)


@tf.custom_gradient
def product(x, y):
  """Two arguments, of which one has a wrong gradient."""
  return x * y, lambda dy: (y * dy, 2.0 * x * dy)


@tf.custom_gradient
def natural_product(x, y):
  return x * y, lambda dy: (y * dy, x * dy)


@tf.custom_gradient
def positive_square(x):
  """Fails with negative values."""
  with tf.control_dependencies([v1.assert_positive(x)]):
    return x * x, lambda dy: 2.0 * x * dy


@tf.custom_gradient
def first_twice(x):
  """TensorFlow's gradient of it is not a tensor but IndexedSlices."""
  first = tf.zeros([2 * tf.shape(x)[0]], tf.int32)
  return tf.gather(x, first), lambda dy: tf.scatter_nd(
    first[:, None], dy, tf.shape(x)
  )


@tf.custom_gradient
def contrast(x):
  """TensorFlow has no gradient of it."""
  y = tf.raw_ops.AdjustContrastv2(
    images=x[:, None, None, :], contrast_factor=1.0
  )
  return y[:, 0, 0, :], lambda dy: dy


@tf.custom_gradient
def total(x):
  """Its gradient has the shape of the result."""
  return tf.reduce_sum(x, 1, keepdims=True), lambda dy: dy


@tf.custom_gradient
def pair(x):
  """Two results, with natural gradients."""
  return (x * x, 3.0 * x), lambda da, db: 2.0 * x * da + 3.0 * db


def scale_gradient(factor):
  @tf.custom_gradient
  def scaled(x):
    return tf.identity(x), lambda dy: factor * dy

  return scaled


NATURAL = {
  "square": square,
  "pair": lambda x: sum(pair(x)),
  "swish": lambda x: tf.nn.swish(x),
  "keras_swish": lambda x: tf.keras.activations.swish(x),
  "twice": lambda x: square(square(x)),
  "of_one_tensor_twice": lambda x: natural_product(x, x),
  "at_the_end_of_a_branch": lambda x: tf.cond(
    tf.reduce_sum(x) > 0.0, lambda: square(x), lambda: x
  ),
  "of_what_it_asserts": positive_square,
  "sparse": first_twice,
  "in_a_function": tf.function(lambda x: square(x)),
}
UNNATURAL = {
  "straight_through": straight_through,
  "reverse": reverse,
  "clip_gradient": clip_gradient,
  "product": lambda x: product(x, x + 1.0),
  "product_of_one_tensor": lambda x: product(x, x),
  "behind_a_natural_one": lambda x: reverse(square(x)),
  "at_the_end_of_a_branch": lambda x: tf.cond(
    tf.reduce_sum(x) > 0.0, lambda: reverse(x), lambda: square(x)
  ),
  "in_a_loop": lambda x: tf.while_loop(
    lambda y: tf.reduce_sum(y) > 9.0, lambda y: [reverse(y)], [x]
  )[0],
  "in_a_function": tf.function(lambda x: reverse(x)),
  "beside_one_of_its_like": lambda x: scale_gradient(1.0)(x) + reverse(x),
  "without_a_natural_one": contrast,
  "of_another_shape": lambda x: x + total(x),
  "of_another_number": lambda x: (
    scale_gradient(1.0)(x) + scale_gradient(-1.0)(x)
  ),
}


def trace(fn):
  spec = tf.TensorSpec([None, 4], tf.float32, "x")
  return v1.wrap_function(lambda x: tf.identity(fn(x)), [spec])


@pytest.mark.parametrize("name", NATURAL)
def test_natural_gradients_are_no_finding(name):
  assert gradients.unnatural_gradients(trace(NATURAL[name]).graph) == []


@pytest.mark.parametrize("name", UNNATURAL)
def test_other_gradients_are_found(name):
  found = gradients.unnatural_gradients(trace(UNNATURAL[name]).graph)
  assert len(found) == 1


@pytest.mark.parametrize("name", UNNATURAL)
def test_a_second_check_finds_the_same(name):
  graph = trace(UNNATURAL[name]).graph
  first = gradients.unnatural_gradients(graph)
  assert gradients.unnatural_gradients(graph) == first


def test_the_check_leaves_functions_as_they_are():
  """A `tf.function` is traced once: each check finds the same in it."""
  fn = tf.function(reverse)
  found = [gradients.unnatural_gradients(trace(fn).graph) for _ in range(3)]
  assert found == [["IdentityN"]] * 3
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


def _module(unnatural, **options):
  kernel = tf.Variable(tf.ones([3, 4]), name="kernel")

  def fn(images, is_training):
    x = tf.matmul(tf.reduce_mean(images, [1, 2]), kernel)
    return unnatural(x) * (2.0 if is_training else 1.0)

  return hie.make_feature_vector_module(fn, 12, 10, **options)


@pytest.mark.parametrize("name", UNNATURAL)
def test_modules_that_would_fine_tune_otherwise_are_refused(name):
  with pytest.raises(ValueError, match="allow_custom_gradients=True"):
    _module(UNNATURAL[name])


def test_they_can_be_accepted_or_need_no_training():
  assert len(_module(reverse, allow_custom_gradients=True).get_tags()) == 2
  assert len(_module(reverse, training=False).get_tags()) == 1


@pytest.mark.parametrize("name", NATURAL)
def test_natural_ones_need_no_leave(name):
  assert len(_module(NATURAL[name]).get_tags()) == 2
