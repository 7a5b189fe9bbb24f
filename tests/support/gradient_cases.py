# SPDX-License-Identifier: Apache-2.0
"""Functions with custom gradients, right and wrong ones.

Each takes a float tensor [None, 4]. `natural` are those whose gradients are
TensorFlow's own, `unnatural` the others.
"""

from __future__ import annotations

import functools

import numpy as np

from hub_image_export.tensorflow_api.compat import tf

v1 = tf.compat.v1
FACTOR = tf.Variable([0.5, -1.0, 2.0, 0.25], name="factor")


def custom(forward, gradient):
  """A function of one argument; `gradient(x, dy)` is its gradient."""

  @tf.custom_gradient
  def function(x):
    return forward(x), lambda dy: gradient(x, dy)

  return function


def of_upstream(gradient):
  """The identity, with a gradient that looks at what comes in alone."""
  return custom(tf.identity, lambda x, dy: gradient(dy))


# --- Gradients that are TensorFlow's own.

square = custom(lambda x: x * x, lambda x, dy: 2.0 * x * dy)


@tf.custom_gradient
def product(x, y):
  return x * y, lambda dy: (y * dy, x * dy)


@tf.custom_gradient
def pair(x):
  """Two results."""
  return (x * x, 3.0 * x), lambda da, db: 2.0 * x * da + 3.0 * db


@tf.custom_gradient
def half_step(x):
  """Two results, of which the second is computed from the first."""
  first = 0.5 * x
  return (first, first * first), lambda da, db: 0.5 * da + x * 0.5 * db


@tf.custom_gradient
def with_asserts(x):
  """Fails with values that no test has."""
  with tf.control_dependencies([v1.assert_greater(x, -1e6)]):
    return x * x, lambda dy: 2.0 * x * dy


@tf.custom_gradient
def checked(x):
  """Takes positive values only, and says so where it computes."""
  y = tf.debugging.check_numerics(tf.math.log(x), "no logarithm")
  return y, lambda dy: dy / x


@tf.custom_gradient
def first_twice(x):
  """TensorFlow's gradient of it is not a tensor but IndexedSlices."""
  first = tf.zeros([2 * tf.shape(x)[0]], tf.int32)
  return tf.gather(x, first), lambda dy: tf.scatter_nd(
    first[:, None], dy, tf.shape(x)
  )


@tf.custom_gradient
def over_a_variable(x):
  def gradient(dy, variables=None):
    return dy * FACTOR, [tf.reduce_sum(dy * x, 0) for _ in variables]

  return x * FACTOR, gradient


@tf.custom_gradient
def scaled_by(x, scale):
  """Gives no gradient for a constant."""
  return x * scale, lambda dy: (dy * scale, None)


@tf.custom_gradient
def outer_is_right(x):
  """What is inside has a wrong gradient that nobody asks for."""
  return 2.0 * reverse(x), lambda dy: 2.0 * dy


def beside_a_frozen_tensor(x):
  other = tf.stop_gradient(tf.exp(x))
  return custom(lambda a: a * other, lambda a, dy: dy * other)(x + 1.0)


def beside_a_constant(x):
  other = tf.constant([1.0, -2.0, 3.0, 4.0])
  return custom(lambda a: a * other, lambda a, dy: dy * other)(x)


def beside_a_mask(x):
  mask = x > 0.5
  return custom(
    lambda a: tf.where(mask, a, 0.1 * a),
    lambda a, dy: tf.where(mask, dy, 0.1 * dy),
  )(2.0 * x)


def stable_logsumexp(x):
  @tf.custom_gradient
  def function(x):
    return tf.reduce_logsumexp(
      x, 1, keepdims=True
    ), lambda dy: dy * tf.nn.softmax(x)

  return x + function(x)


@tf.custom_gradient
def softmax(x):
  """Its gradient cancels out where one score is far above the others."""
  y = tf.nn.softmax(x)
  return y, lambda dy: y * (dy - tf.reduce_sum(dy * y, -1, keepdims=True))


def mapped(function):
  return lambda x: tf.map_fn(function, x)


def in_a_branch(function, other=lambda x: x):
  return lambda x: tf.cond(
    tf.reduce_sum(x) > 0.0, lambda: function(x), lambda: other(x)
  )


def in_a_loop(function):
  return lambda x: tf.while_loop(
    lambda y: tf.reduce_sum(y) > 9.0, lambda y: [function(y)], [x]
  )[0]


def nested(function):
  inner = tf.function(function)
  return tf.function(lambda x: tf.function(lambda y: inner(y) + 1.0)(x))


def half_precision(dtype, function):
  return lambda x: tf.cast(function(tf.cast(x, dtype)), tf.float32)


def _dense():
  layer = tf.keras.layers.Dense(4, activation="swish")
  layer.build((None, 4))
  return layer


DENSE = _dense()
NATURAL = {
  "square": square,
  "twice": lambda x: square(square(x)),
  "of_one_tensor_twice": lambda x: product(x, x),
  "pair": lambda x: sum(pair(x)),
  "pair_without_the_second": lambda x: pair(x)[0],
  "pair_without_the_first": lambda x: half_step(x)[1],
  "swish": tf.nn.swish,
  "swish_with_beta": lambda x: tf.nn.silu(x, 0.5),
  "keras_swish": tf.keras.activations.swish,
  "keras_gelu": tf.keras.activations.gelu,
  "keras_mish": tf.keras.activations.mish,
  "softplus": tf.nn.softplus,
  "logsumexp": stable_logsumexp,
  "softmax": softmax,
  "swish_of_16_bits": half_precision(tf.float16, tf.nn.swish),
  "swish_of_bfloat16": half_precision(tf.bfloat16, tf.nn.swish),
  "at_the_end_of_a_branch": in_a_branch(square),
  "in_a_loop": in_a_loop(lambda x: square(0.5 * x) - 1.0),
  "mapped": mapped(square),
  "in_a_function": tf.function(square),
  "in_nested_functions": nested(square),
  "of_what_it_asserts": with_asserts,
  "of_what_it_checks": lambda x: checked(1.0 + tf.nn.relu(x)),
  "sparse": first_twice,
  "over_a_variable": over_a_variable,
  "recomputed": lambda x: tf.recompute_grad(lambda y: tf.exp(y) * FACTOR)(x),
  "recomputed_layer": lambda x: tf.recompute_grad(lambda y: DENSE(y))(x),
  "with_a_constant": lambda x: scaled_by(x, 3.0),
  "beside_a_frozen_tensor": beside_a_frozen_tensor,
  "beside_a_constant": beside_a_constant,
  "beside_a_mask": beside_a_mask,
  "stopped": lambda x: x + tf.stop_gradient(reverse(x) - 2.0 * x),
  "straight_through_without_a_function": lambda x: (
    x + tf.stop_gradient(tf.round(x) - x)
  ),
  "inside_of_a_right_one": outer_is_right,
  "fake_quantized": lambda x: tf.quantization.fake_quant_with_min_max_args(x),
}

# --- Other gradients.

reverse = of_upstream(lambda dy: -dy)
straight_through = custom(tf.round, lambda x, dy: dy)


@tf.custom_gradient
def wrong_product(x, y):
  """Two arguments, of which one has a wrong gradient."""
  return x * y, lambda dy: (y * dy, 2.0 * x * dy)


@tf.custom_gradient
def wrong_pair(x):
  """Two results, of which the second has a wrong gradient."""
  return (x * x, 3.0 * x), lambda da, db: 2.0 * x * da + 2.0 * db


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
def wrong_for_a_variable(x):
  def gradient(dy, variables=None):
    return dy * FACTOR, [tf.zeros_like(v) for v in variables]

  return x * FACTOR, gradient


def beside_a_tensor(x):
  """What is learnt through the other tensor is lost."""
  other = tf.exp(x)
  return custom(lambda a: a * other, lambda a, dy: dy * other)(x + 1.0)


def guided_relu(x):
  graph = v1.get_default_graph()
  with graph.gradient_override_map({"Relu": "GuidedReluOfTests"}):
    return tf.nn.relu(x)


@tf.RegisterGradient("GuidedReluOfTests")
def _guided(op, dy):
  return tf.where((dy > 0.0) & (op.inputs[0] > 0.0), dy, 0.0)


class Scaled:
  """Each has gradients of its own, by the same code."""

  def __init__(self, scale):
    self._scale = scale

  def __call__(self, x):
    return of_upstream(lambda dy: dy * self._scale)(x)


def scaled(factor):
  return of_upstream(lambda dy: factor * dy)


def scaled_by_default(factor):
  return of_upstream(lambda dy, factor=factor: factor * dy)


def scaled_partially(factor):
  return of_upstream(functools.partial(tf.multiply, factor))


def safe_norm(x):
  """Finite for zeros, where TensorFlow's is not a number."""

  @tf.custom_gradient
  def norm(x):
    y = tf.sqrt(tf.reduce_sum(x * x, -1, keepdims=True))
    return y, lambda dy: tf.math.divide_no_nan(dy * x, y)

  return x + norm(x)


def _clip(low, high):
  return lambda dy: tf.clip_by_value(dy, low, high)


def quantized(mode):
  layer = tf.keras.layers.Dense(4)
  layer.build((None, 4))
  layer.quantize(mode)
  return lambda x: layer(x, training=True)


UNNATURAL = {
  "straight_through": straight_through,
  "straight_through_clip_at_6": custom(
    lambda x: tf.clip_by_value(x, 0.0, 6.0), lambda x, dy: dy
  ),
  "straight_through_int8": custom(
    lambda x: tf.clip_by_value(x, -127.0, 127.0), lambda x, dy: dy
  ),
  "straight_through_uint8": custom(
    lambda x: tf.round(tf.clip_by_value(x, 0.0, 255.0)),
    lambda x, dy: tf.where((x >= 0.0) & (x <= 255.0), dy, 0.0),
  ),
  "hard_tanh": custom(
    tf.sign, lambda x, dy: tf.where(tf.abs(x) <= 1.0, dy, 0.0)
  ),
  "reverse": reverse,
  "reverse_of_16_bits": half_precision(tf.float16, reverse),
  "clip_at_1": of_upstream(_clip(-1.0, 1.0)),
  "clip_at_a_little": of_upstream(_clip(-0.01, 0.01)),
  "clip_at_a_lot": of_upstream(_clip(-1e5, 1e5)),
  "clip_from_below": of_upstream(_clip(-10.0, 1e30)),
  "clip_by_norm": of_upstream(lambda dy: tf.clip_by_norm(dy, 100.0)),
  "normalized": of_upstream(lambda dy: dy / (tf.norm(dy) + 1e-6)),
  "scaled": of_upstream(lambda dy: 0.1 * dy),
  "sign_of_gradient": of_upstream(tf.sign),
  "small_ones_dropped": of_upstream(
    lambda dy: tf.where(tf.abs(dy) > 1e-6, dy, 0.0)
  ),
  "noisy": of_upstream(lambda dy: dy + tf.random.normal(tf.shape(dy))),
  "for_no_upstream": of_upstream(lambda dy: dy + 1e-12),
  "penalty": custom(tf.identity, lambda x, dy: dy + 1e-3 * x),
  "beyond_100": custom(tf.identity, lambda x, dy: tf.where(x > 100.0, 0.0, dy)),
  "within_a_thousandth": custom(
    tf.identity, lambda x, dy: tf.where(tf.abs(x) < 1e-3, 0.0, dy)
  ),
  "for_zeros": custom(tf.identity, lambda x, dy: tf.where(x == 0.0, 0.0, dy)),
  "safe_norm": safe_norm,
  "blocked": lambda x: x + of_upstream(lambda dy: None)(x),
  "product": lambda x: wrong_product(x, x + 1.0),
  "product_of_one_tensor": lambda x: wrong_product(x, x),
  "pair": lambda x: sum(wrong_pair(x)),
  "without_a_gradient_for_an_argument": lambda x: scaled_by(x, x + 1.0),
  "for_a_variable": wrong_for_a_variable,
  "beside_a_tensor": beside_a_tensor,
  "recomputed": lambda x: tf.recompute_grad(lambda y: straight_through(y))(x),
  "guided_relu": guided_relu,
  "behind_a_natural_one": lambda x: reverse(square(x)),
  "at_the_end_of_a_branch": in_a_branch(reverse, square),
  "in_a_loop": in_a_loop(reverse),
  "mapped": mapped(reverse),
  "in_a_function": tf.function(reverse),
  "in_nested_functions": nested(of_upstream(_clip(-1.0, 1.0))),
  "beside_one_of_its_like": lambda x: scaled(1.0)(x) + reverse(x),
  "without_a_natural_one": contrast,
  "of_another_shape": lambda x: x + total(x),
  "of_another_number": lambda x: scaled(1.0)(x) + scaled(-1.0)(x),
  "of_another_array": lambda x: (
    scaled(np.float32(1.0))(x) + scaled(np.float32(-1.0))(x)
  ),
  "of_another_constant": lambda x: (
    scaled(tf.constant(1.0))(x) + scaled(tf.constant(-1.0))(x)
  ),
  "of_another_default": lambda x: (
    scaled_by_default(1.0)(x) + scaled_by_default(-1.0)(x)
  ),
  "of_another_partial": lambda x: (
    scaled_partially(1.0)(x) + scaled_partially(-1.0)(x)
  ),
  "of_another_object": lambda x: Scaled(1.0)(x) + Scaled(-1.0)(x),
}
if hasattr(tf.keras.layers.Layer, "quantize"):  # Keras 3.
  UNNATURAL["int8"] = quantized("int8")
  UNNATURAL["float8"] = quantized("float8")
