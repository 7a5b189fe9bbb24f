# SPDX-License-Identifier: Apache-2.0
"""Defects that no error and no usual answer shows (C3 to C16, F3, F4, H1)."""

from __future__ import annotations

from hub_image_export.tensorflow_api.compat import tf
from tests.checker import tiny
from tests.checker.corpus import breaks, warns
from tests.checker.defects_fine_tuning import (
  by_name,
  clear,
  update,
)
from tests.checker.tiny import serve

v1 = tf.compat.v1
_BOTH_NAMES = ("default", "image_feature_vector")
_HPARAMS = "image_feature_vector_with_bn_hparams"


def _promise_float32(meta_graph):
  for signature in meta_graph.signature_def.values():
    signature.outputs["default"].dtype = tf.float32.as_datatype_enum


def _with_dtype(dtype):
  return dict(
    signatures=serve(lambda net: tf.cast(net.features, dtype)),
    change=_promise_float32,
  )


breaks(
  "output-dtype",
  promised_and_half=_with_dtype(tf.float16),
  promised_and_double=_with_dtype(tf.float64),
)


# What only the training variant does wrong.
def _in_training(change):
  return dict(change_features=lambda x, training: change(x) if training else x)


def _scores(change):
  names = ["image_classification", "default"]
  return dict(signatures=serve(change, names))


def _default_in_training(change):
  def signatures(net):
    features = change(net.features) if net.training else net.features
    serve(lambda net: features, ["default"])(net)
    serve(names=["image_feature_vector"])(net)

  return dict(signatures=signatures)


def _two_views(x):
  """Twice as many rows as images, though nothing but the value tells."""
  rows = tf.concat([x, x], 0)
  return v1.placeholder_with_default(rows, [None, tiny.FILTERS])


def _softmax_by_hand(net):
  if not net.training:
    return net.logits
  exponentials = tf.exp(net.logits)
  return exponentials / tf.reduce_sum(exponentials, 1, keepdims=True)


@tf.function
def _dropped(x):
  return tf.nn.dropout(x, rate=0.5)


breaks("output-rank", two_views_in_training=_in_training(_two_views))
breaks(
  "input-ignored",
  ignored_in_training=_in_training(lambda x: x - x + tf.reduce_mean(x)),
)
breaks("probabilities", softmax_in_training=_scores(_softmax_by_hand))
breaks(
  "dropout-on-output", dropout_in_a_function=_in_training(lambda x: _dropped(x))
)
breaks(
  "default-differs",
  default_differs_in_training=_default_in_training(lambda x: 2.0 * x),
)


def _four_by_four(x, training, momentum):
  """In training, whatever the size of the images, or else it fails."""
  x = tiny.body(x, training, momentum)
  return tf.reshape(x, [-1, 4, 4, tiny.FILTERS]) if training else x


def _scaled_by(change):
  return dict(
    scale=lambda x: x,
    make_body=lambda x, training, momentum: tiny.body(
      x if training else change(x), training, momentum
    ),
  )


breaks(
  "size-dependent",
  one_size_in_training=dict(
    make_images=lambda: tiny.placeholder(None),
    make_body=_four_by_four,
    info=(8, 8),
  ),
)
warns(
  "range-suspicious",
  scaled_at_inference_only=_scaled_by(lambda x: 2.0 * x - 1.0),
)


def _other_weights(x, training, momentum):
  """Inference and training each have a kernel of their own."""
  for name in ("first", "second"):
    tiny.variable(f"{name}/kernel", [1, 1, 3, 3])
  kernel = by_name("second/kernel" if training else "first/kernel")
  return tiny.body(tf.nn.conv2d(x, kernel, 1, "SAME"), training, momentum)


breaks("trainable-differ", trains_other_weights=dict(make_body=_other_weights))


# Endpoints, and signatures with hyperparameters.
def _another_endpoint(net):
  maps = tf.reduce_mean(net.images, 3)
  for name, factor in zip(_BOTH_NAMES, (1.0, 2.0)):
    outputs = {"default": net.features, "Tiny/gray": maps * factor}
    serve(lambda net, outputs=outputs: outputs, [name])(net)


def _hparams_of(change):
  def signatures(net):
    tiny.add_signatures(net)
    momentum = {"batch_norm_momentum": net.momentum}
    serve(lambda net: change(net.features), [_HPARAMS], momentum)(net)

  return dict(
    make_momentum=lambda: v1.placeholder_with_default(0.99, []),
    signatures=signatures,
  )


def _hparams_alone(net):
  tiny.serve_features(net)
  momentum = {"batch_norm_momentum": net.momentum}
  names = ["image_classification_with_bn_hparams"]
  serve(lambda net: net.logits, names, momentum)(net)


breaks(
  "default-differs",
  another_endpoint=dict(signatures=_another_endpoint),
)
breaks("bn-hparams-dead", hparams_answer_otherwise=_hparams_of(lambda x: 2 * x))
breaks(
  "no-task-signature",
  hparams_without_the_task=dict(
    make_momentum=lambda: v1.placeholder_with_default(0.99, []),
    signatures=_hparams_alone,
  ),
)


def _rows_to_columns(x):
  """Takes any height, and one width."""
  kernel = tiny.variable("columns", [4 * tiny.FILTERS, tiny.FILTERS])
  x = tf.reshape(tf.reduce_mean(x, 1), [-1, 4 * tiny.FILTERS])
  return tf.matmul(x, kernel)


def _columns(width):
  return dict(
    make_images=lambda: tiny.placeholder(shape=[None, *width, 3]),
    make_features=_rows_to_columns,
    info=(8, 8),
  )


breaks("size-dependent", one_width=_columns([8, None]))


# What moves, and what weighs.
def _one_dead_average(net):
  if net.training:
    mean_only = list(v1.get_collection("update_ops"))[:1]
    clear("update_ops")(None)
    update(*mean_only)
    variance = by_name("bn/moving_variance")
    update(v1.assign_sub(variance, (variance - net.images[0, 0, 0, 0]) * 0.0))


breaks("update-ops-dead", one_dead_average=dict(finish=_one_dead_average))


def _penalty(make):
  return dict(
    finish=lambda net: v1.add_to_collection("regularization_losses", make())
  )


breaks(
  "penalty-ill-formed",
  penalty_of_a_constant=_penalty(lambda: tf.constant(0.5)),
)
