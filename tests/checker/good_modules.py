# SPDX-License-Identifier: Apache-2.0
"""Modules that conform, in the ways in which modules were ever written."""

from __future__ import annotations

import numpy as np

from hub_image_export.tensorflow_api.compat import hub, tf
from tests.checker import tiny
from tests.checker.corpus import good
from tests.checker.defects_files import with_table
from tests.checker.defects_fine_tuning import with_momentum
from tests.checker.tiny import serve

v1 = tf.compat.v1


def _scope(**options):
  return lambda: v1.variable_scope("", use_resource=False, **options)


good(
  two_tasks=dict(),
  one_task_without_training=dict(
    signatures=serve(
      lambda net: net.logits, ["default", "image_classification"]
    ),
    variants=[set()],
  ),
  variable_size=dict(make_images=lambda: tiny.placeholder(None), info=(9, 7)),
  # As TF 1.x authored them.
  ref_variables=dict(scope=_scope()),
)


def _partitioned_kernel(name, shape):
  return tf.convert_to_tensor(tiny.variable(name, shape))


def _partitioned_body(x, training, momentum):
  kernel = _partitioned_kernel("conv/kernel", [3, 3, 3, tiny.FILTERS])
  return tf.nn.relu(tf.nn.conv2d(x, kernel, 2, "SAME"))


def _partitioned_head(x):
  kernel = _partitioned_kernel("kernel", [tiny.FILTERS, tiny.CLASSES])
  return tf.matmul(x, kernel)


good(
  partitioned_variables=dict(
    scope=_scope(partitioner=v1.fixed_size_partitioner(2)),
    make_body=_partitioned_body,
    make_logits=_partitioned_head,
    variants=[set()],
  ),
  hyperparameter_signature=with_momentum(),
)


def _endpoints_and_a_third(net):
  serve(lambda net: {"default": net.features, "Tiny/Logits": net.logits})(net)
  hub.add_signature(
    "doubled", {"anything": net.images}, {"result": net.features * 2.0}
  )


def _own_placeholders(net):
  """Fine where no update depends on them."""
  for name in ("default", "image_feature_vector"):
    images = tiny.placeholder()
    with v1.variable_scope(v1.get_variable_scope(), reuse=True):
      x = tiny.pool(tiny.body(images * 2.0 - 1.0, False, 0.99))
    hub.add_signature(name, {"images": images}, {"default": x})


def _mask(x):
  return tf.cast(v1.random_uniform(tf.shape(x)) > 0.2, tf.float32)


def _dropping(x, training, momentum):
  """In the training variant, before the classifier (C5)."""
  x = tiny.body(x, training, momentum)
  return x * _mask(x) / 0.8 if training else x


def _frozen(x, training, momentum):
  """Trained with dropout alone: batch norm needs no updates."""
  x = tiny.body(x, False, momentum)
  return x * _mask(x) if training else x


def _penalize(net):
  for weights in v1.trainable_variables():
    v1.add_to_collection(
      v1.GraphKeys.REGULARIZATION_LOSSES, 0.01 * tf.nn.l2_loss(weights)
    )


def _loop(x):
  """Control flow in the way of TensorFlow 1."""
  v1.disable_control_flow_v2()
  try:
    _, x = v1.while_loop(
      lambda i, _: i < 3,
      lambda i, y: (i + 1, y * 1.1),
      [tf.constant(0), tiny.pool(x)],
    )
  finally:
    v1.enable_control_flow_v2()
  return tf.ensure_shape(x, [None, tiny.FILTERS])


good(
  endpoints_and_a_third_signature=dict(signatures=_endpoints_and_a_third),
  a_placeholder_for_each_signature=dict(
    signatures=_own_placeholders, variants=[set()]
  ),
  dropout_inside=dict(make_body=_dropping),
  frozen_batch_norm=dict(make_body=_frozen),
  penalties=dict(finish=_penalize),
  # A network may answer 1e-10 and still be told from a constant.
  tiny_answers=dict(
    make_features=lambda x: tiny.pool(x) * 1e-10, signatures=tiny.serve_features
  ),
  no_variables=dict(
    make_body=lambda x, training, momentum: tf.abs(x),
    make_logits=lambda features: None,
    signatures=tiny.serve_features,
    variants=[set()],
  ),
  loop=dict(make_features=_loop),
)


def _conv(x, name, width=tiny.FILTERS):
  kernel = tiny.variable(name, [3, 3, x.shape[-1], width])
  return tf.nn.conv2d(x, kernel, 1, "SAME")


def _scores(change, **options):
  """Options of a classifier whose scores are what `change` makes of them."""
  names = ["default", "image_classification"]
  return dict(
    signatures=serve(lambda net: change(net.logits), names), **options
  )


def _one_class(features):
  return tf.matmul(features, tiny.variable("one/kernel", [tiny.FILTERS, 1]))


def _cosines(features):
  kernel = tiny.variable("classes", [tiny.FILTERS, tiny.CLASSES])
  return tf.matmul(
    tf.math.l2_normalize(features, 1), tf.math.l2_normalize(kernel, 0)
  )


def _excited(x):
  """Squeeze and excitation: a sigmoid within the network."""
  gate = tf.sigmoid(tf.matmul(tiny.pool(x), tiny.variable("gate", [6, 6])))
  return tiny.pool(x) * gate


def _attention(x):
  tokens = tf.reshape(x, [-1, 16, tiny.FILTERS])
  weights = tf.nn.softmax(tf.matmul(tokens, tokens, transpose_b=True))
  return tf.reduce_mean(tf.matmul(weights, tokens), 1)


def _stochastic_depth(x, training, momentum):
  x = tiny.body(x, training, momentum)
  branch = _conv(x, "branch/kernel")
  if training:
    branch *= tf.floor(0.8 + v1.random_uniform([tf.shape(x)[0], 1, 1, 1]))
  return x + branch


def _noisy_inside(x, training, momentum):
  if training:
    x += v1.random_normal(tf.shape(x), 0.0, 0.05)
  return tiny.body(x, training, momentum)


def _two_batch_norms(x, training, momentum):
  x = tiny.body(x, training, momentum)
  with v1.variable_scope("second"):
    return tiny.batch_norm(_conv(x, "kernel"), training, momentum)


def _updates_in_a_function(x, training, momentum):
  """The function reads a weight, and assigns to an average."""
  kernel = tiny.variable("scale", [1])
  mean = tiny.variable("moving_mean", [1], trainable=False)
  x = tiny.body(x * kernel, training, momentum)
  if not training:
    return x - mean

  @tf.function
  def step(batch):
    mean.assign_sub(0.01 * (mean - kernel * batch))
    return tf.constant(0.0)

  batch = tf.reduce_mean(x)
  v1.add_to_collection("update_ops", step(batch).op)
  return x - batch


def _updates_in_branches(x, training, momentum):
  """As slim wrote it, with a switch; only one assignment is run."""
  x = tiny.body(x, training, momentum)
  if training:
    v1.disable_control_flow_v2()
    mean = next(v for v in v1.global_variables() if "moving_mean" in v.name)
    v1.get_default_graph().clear_collection("update_ops")
    variance = next(v for v in v1.global_variables() if "moving_var" in v.name)
    v1.add_to_collection("update_ops", v1.assign_sub(variance, 0.01 * variance))
    frozen = v1.placeholder_with_default(False, [])
    v1.add_to_collection(
      "update_ops",
      v1.cond(
        frozen,
        lambda: tf.identity(v1.assign(mean, mean + 0.0)),
        lambda: tf.identity(
          v1.assign_sub(mean, 0.01 * (mean - tiny.pool(x)[0]))
        ),
      ).op,
    )
    v1.enable_control_flow_v2()
  return x


def _frozen_statistics(x, training, momentum):
  """Constants of the data set, kept in a variable that nothing moves."""
  ones = v1.ones_initializer()
  scale = tiny.variable("data/scale", [3], trainable=False, initializer=ones)
  return tiny.body(x * scale, training, momentum)


def _constants(x, training, momentum):
  """A frozen graph: weights are constants."""
  kernel = tf.constant(np.linspace(-1.0, 1.0, 162, dtype=np.float32))
  return tf.nn.conv2d(x, tf.reshape(kernel, [3, 3, 3, 6]), 2, "SAME")


def _mirrored(x):
  """Augmentation within the training variant would look like this."""
  return 0.5 * (tiny.pool(x) + tiny.pool(tf.reverse(x, [2])))


def _standardized(x):
  mean, variance = tf.nn.moments(x, [1, 2, 3], keepdims=True)
  return (x - mean) / tf.sqrt(variance + 1e-3)


good(
  one_class=_scores(lambda x: x, make_logits=_one_class),
  positive_by_chance=_scores(lambda x: 0.15 * x + 0.6),
  one_class_positive_by_chance=_scores(lambda x: 0.5 * x[:, 2:3]),
  log_probabilities=_scores(tf.nn.log_softmax),
  soft_capped=_scores(lambda x: 30.0 * tf.tanh(x / 30.0)),
  cosines=_scores(lambda x: x, make_logits=_cosines),
  temperature=_scores(
    lambda x: (
      x
      * tf.exp(
        tiny.variable("temperature", [], initializer=v1.ones_initializer())
      )
    )
  ),
  huge_scores=_scores(lambda x: 1e6 * x),
  unit_features=dict(
    make_features=lambda x: tf.math.l2_normalize(tiny.pool(x), 1)
  ),
  excited=dict(make_features=_excited),
  attention=dict(make_features=_attention),
  stochastic_depth=dict(make_body=_stochastic_depth),
  noise_inside=dict(make_body=_noisy_inside),
  two_batch_norms=dict(make_body=_two_batch_norms),
  updates_in_a_function=dict(make_body=_updates_in_a_function),
  updates_in_branches=dict(make_body=_updates_in_branches),
  frozen_statistics=dict(make_body=_frozen_statistics),
  constant_weights=dict(
    make_body=_constants,
    make_logits=lambda features: tf.matmul(
      features, tf.ones([6, 4]) * [[-1.0, 1.0, 2.0, 3.0]]
    ),
    variants=[set()],
  ),
  mean_of_two_views=dict(make_features=_mirrored),
  standardized_with_epsilon=dict(scale=_standardized),
  gray_inside=dict(
    scale=lambda x: tf.tile(tf.reduce_mean(x, 3, keepdims=True), [1, 1, 1, 3])
  ),
  resized_inside=dict(
    scale=lambda x: v1.image.resize_bilinear(2.0 * x - 1.0, [12, 12])
  ),
  info_beside_a_fixed_size=dict(info=(8, 8)),
)


@good()
def asset(path):
  """A table, read from a file of the module."""
  with_table(path)
