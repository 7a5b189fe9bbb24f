# SPDX-License-Identifier: Apache-2.0
"""Odd modules that conform, and look like some that do not."""

from __future__ import annotations

from hub_image_export.tensorflow_api.compat import tf
from tests.checker import tiny
from tests.checker.corpus import good
from tests.checker.defects_fine_tuning import by_name, update
from tests.checker.tiny import serve

v1 = tf.compat.v1
_ZEROS, _ONES = v1.zeros_initializer(), v1.ones_initializer()


def _state(name, shape, initializer=_ZEROS):
  return tiny.variable(name, shape, trainable=False, initializer=initializer)


def _flipped(x, training, momentum):
  """Augmented before it is scaled, when it trains."""
  if training:
    flips = tf.cast(v1.random_uniform([tf.shape(x)[0], 1, 1, 1]) > 0.5, x.dtype)
    x = flips * tf.reverse(x, [2]) + (1.0 - flips) * x
  return tiny.body(2.0 * x - 1.0, training, momentum)


def _jittered(x, training, momentum):
  """Arithmetic with numbers that are drawn, before that with constants."""
  if training:
    x = x * v1.random_uniform([tf.shape(x)[0], 1, 1, 1], 0.9, 1.1)
  return tiny.body((x - 0.5) / 0.25, training, momentum)


def _normalized_first(x, training, momentum):
  """Batch norm of the pixels themselves."""
  with v1.variable_scope("pixels"):
    x = tiny.batch_norm(x, training, momentum)
  return tiny.body(x, training, momentum)


def _scaled_otherwise(x, training, momentum):
  """The same range, by other ops."""
  x = (x - 0.5) / 0.5 if training else 2.0 * x - 1.0
  return tiny.body(x, training, momentum)


def _observed_range(x, training, momentum):
  """A running maximum, as for quantization; it stands where it is."""
  x = tiny.body(x, training, momentum)
  most = _state("observed", [], v1.constant_initializer(100.0))
  if training:
    update(v1.assign(most, tf.maximum(most, tf.reduce_max(x))))
    return x
  return tf.minimum(x, most)


def _averaged_weights(x, training, momentum):
  """Inference computes with a moving average of the weights."""
  x = tiny.body(x, training, momentum)
  constant = v1.constant_initializer(0.3)
  weight = tiny.variable("weight", [tiny.FILTERS], initializer=constant)
  average = _state("weight/average", [tiny.FILTERS], constant)
  if training:
    update(v1.assign_sub(average, 0.01 * (average - weight)))
    return x * weight
  return x * average


def _counts_batches(net):
  """As ports of PyTorch's batch norm have it."""
  zeros = v1.zeros_initializer()
  count = v1.get_variable("batches", [], tf.int64, zeros, trainable=False)
  if net.training:
    update(v1.assign_add(count, 1))


def _dead_channel(x, training, momentum):
  """The batch has the statistics that the average has."""
  kernel = tiny.variable("zero", [1, 1, tiny.FILTERS, 2], initializer=_ZEROS)
  x = tiny.body(x, training, momentum)
  with v1.variable_scope("zero"):
    y = tiny.batch_norm(tf.nn.conv2d(x, kernel, 1, "SAME"), training, momentum)
  return x + tf.reduce_mean(y, 3, keepdims=True)


def _average_in_a_branch(x, training, momentum):
  """It moves for batches of a kind that nobody tries."""
  x = tiny.body(x, training, momentum)
  mean = _state("dark/mean", [tiny.FILTERS], _ZEROS)
  if training:
    moved = 0.9 * mean + 0.1 * tf.reduce_mean(x, [0, 1, 2])
    is_dark = tf.reduce_mean(x) < -1.0
    update(v1.assign(mean, tf.cond(is_dark, lambda: moved, lambda: 1.0 * mean)))
  return x - 0.1 * mean


def _every_fifth_step(x, training, momentum):
  """Inference computes with weights that follow the trained ones, at times."""
  x = tiny.body(x, training, momentum)
  weight = tiny.variable("weight", [tiny.FILTERS], initializer=_ONES)
  slow = _state("weight/slow", [tiny.FILTERS], v1.constant_initializer(0.5))
  steps = v1.get_variable("steps", [], tf.int64, _ZEROS, trainable=False)
  if not training:
    return x * slow
  now = steps + 1
  update(v1.assign(steps, now))
  followed = tf.where(tf.equal(now % 5, 0), 0.5 * (slow + weight), 1.0 * slow)
  update(v1.assign(slow, followed))
  return x * weight


def _auxiliary(net):
  """A head that training alone computes with; its weights are everywhere."""
  kernel = tiny.variable("auxiliary/kernel", [tiny.FILTERS, tiny.CLASSES])
  more = 0.3 * tf.matmul(net.features, kernel) if net.training else 0.0
  tiny.serve_features(net)
  serve(lambda net: net.logits + more, ["image_classification"])(net)


def _frozen_penalty(net):
  """Part of the weights is not to be trained; their penalty is left in."""
  kernel = by_name("conv/kernel")
  kept = [v for v in v1.trainable_variables() if v.op.name != "conv/kernel"]
  v1.get_default_graph().clear_collection("trainable_variables")
  for variable in kept:
    v1.add_to_collection("trainable_variables", variable)
  v1.add_to_collection("regularization_losses", tf.nn.l2_loss(kernel))


def _copied_endpoints(net):
  """The same values under one key, by other ops."""
  for name, maps in (
    ("default", net.images * 2.0),
    ("image_feature_vector", net.images + net.images),
  ):
    outputs = {"default": net.features, "Tiny/doubled": maps}
    serve(lambda net, outputs=outputs: outputs, [name])(net)


good(
  flipped_in_training=dict(scale=lambda x: x, make_body=_flipped),
  jittered_in_training=dict(scale=lambda x: x, make_body=_jittered),
  pixels_batch_normalized=dict(scale=lambda x: x, make_body=_normalized_first),
  scaled_by_other_ops=dict(scale=lambda x: x, make_body=_scaled_otherwise),
  observed_range=dict(make_body=_observed_range),
  average_in_a_branch=dict(make_body=_average_in_a_branch),
  averaged_weights=dict(make_body=_averaged_weights),
  every_fifth_step=dict(make_body=_every_fifth_step),
  counts_batches=dict(finish=_counts_batches),
  dead_channel=dict(make_body=_dead_channel),
  auxiliary_head=dict(signatures=_auxiliary),
  frozen_penalty=dict(finish=_frozen_penalty),
  copied_endpoints=dict(signatures=_copied_endpoints),
  any_height=dict(
    make_images=lambda: tiny.placeholder(shape=[None, None, 8, 3]), info=(8, 8)
  ),
)
