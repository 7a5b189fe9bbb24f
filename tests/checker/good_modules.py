# SPDX-License-Identifier: Apache-2.0
"""Modules that conform, in the ways in which modules were ever written."""

from __future__ import annotations

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


@good()
def asset(path):
  """A table, read from a file of the module."""
  with_table(path)
