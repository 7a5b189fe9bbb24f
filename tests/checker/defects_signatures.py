# SPDX-License-Identifier: Apache-2.0
"""Defects in variants, signatures, inputs and outputs (F2, F3, C1 to C17)."""

from __future__ import annotations

from hub_image_export.tensorflow_api.compat import tf
from tests.checker import edit, tiny
from tests.checker.corpus import breaks, warns
from tests.checker.tiny import serve

v1 = tf.compat.v1


def _more_at_inference(net):
  if not net.training:
    tiny.variable("more", [2])


def _twice_in_training(features, training):
  return tf.concat([features, features], 1) if training else features


def _one_task_in_training(net):
  (tiny.serve_features if net.training else tiny.add_signatures)(net)


def _endpoint_at_inference(net):
  more = {} if net.training else {"Tiny/logits": net.logits}
  return {"default": net.features, **more}


breaks("no-inference-variant", training_only=dict(variants=[{"train"}]))
breaks(
  "unknown-variant",
  batch_size_tag=dict(variants=[set(), {"train"}, {"train", "bs64"}]),
)


@breaks("unknown-variant")
def twice(path):
  with edit.saved_model(path) as proto:
    proto.meta_graphs.add().CopyFrom(proto.meta_graphs[0])


breaks("variables-differ", more_in_inference=dict(finish=_more_at_inference))
breaks(
  "width-differs",
  wider_in_training=dict(
    change_features=_twice_in_training,
    make_logits=lambda features: tiny.head(features[:, : tiny.FILTERS]),
  ),
)
breaks(
  "signatures-differ",
  one_task_in_training=dict(signatures=_one_task_in_training),
  endpoint_in_inference=dict(signatures=serve(_endpoint_at_inference)),
)
breaks(
  "train-variant-pointless",
  same_graph=dict(
    make_body=lambda x, training, momentum: tiny.body(x, False, momentum)
  ),
)
breaks(
  "no-default-signature",
  named_only=dict(signatures=serve(names=["image_feature_vector"])),
)
breaks(
  "no-task-signature",
  # As published modules spell it, and as those for visual tasks name it.
  published_misspelling=dict(
    signatures=serve(names=["default", "image_feature-vector"])
  ),
  published_representation=dict(
    signatures=serve(names=["default", "representation"])
  ),
)


def _second_task_misspelt(net):
  tiny.serve_features(net)
  serve(lambda net: net.logits, ["image_clasification"])(net)


warns(
  "no-task-signature",
  second_task_misspelt=dict(signatures=_second_task_misspelt),
)


def _default_of(outputs, feature_outputs=lambda net: net.features):
  def signatures(net):
    serve(outputs, ["default"])(net)
    serve(feature_outputs, ["image_feature_vector"])(net)

  return dict(signatures=signatures)


def _with_logits(key):
  return lambda net: {"default": net.features, key: net.logits}


def _factor(net):
  factor = v1.placeholder_with_default(1.0, [])
  features, inputs = net.features * factor, {"factor": factor}
  serve(lambda net: features, ["default"], inputs)(net)
  serve(lambda net: features, ["image_feature_vector"])(net)


breaks(
  "default-differs",
  default_has_another_width=_default_of(lambda net: net.logits),
  default_has_other_values=_default_of(lambda net: net.features * 2.0),
  default_lacks_endpoints=_default_of(
    lambda net: net.features, _with_logits("Tiny/logits")
  ),
)
breaks("extra-input", default_takes_a_factor=dict(signatures=_factor))

# The image input.
breaks(
  "images-missing",
  image=dict(signatures=serve(images="image")),
  input_1=dict(signatures=serve(images="input_1")),
)


def _images(*shape, dtype=tf.float32, **options):
  return dict(
    make_images=lambda: tiny.placeholder(shape=shape, dtype=dtype), **options
  )


breaks(
  "images-dtype",
  bytes_of_pixels=_images(
    None, 8, 8, 3,
    dtype=tf.uint8,
    scale=lambda x: tf.cast(x, tf.float32) / 255.0,
  ),
)  # fmt: skip
breaks(
  "images-rank",
  flat_images=_images(
    None, 192, scale=lambda x: tf.reshape(x, [-1, 8, 8, 3]), info=(8, 8)
  ),
)
breaks(
  "images-sparse",
  sparse_images=dict(
    make_images=lambda: v1.sparse_placeholder(tf.float32, [None, 8, 8, 3]),
    scale=lambda x: tf.reshape(tf.sparse.to_dense(x), [-1, 8, 8, 3]),
    info=(8, 8),
  ),
)
breaks(
  "images-batch-fixed",
  batches_of_two=_images(
    2, 8, 8, 3,
    scale=lambda x: v1.placeholder_with_default(x, [None, 8, 8, 3]),
    make_features=lambda x: tf.ensure_shape(
      tiny.pool(x), [None, tiny.FILTERS]
    ),
  ),
)  # fmt: skip
breaks(
  "images-channels",
  grey_images=_images(None, 8, 8, 1, scale=lambda x: tf.tile(x, [1, 1, 1, 3])),
  unknown_channels=_images(
    None, 8, 8, None, scale=lambda x: tf.ensure_shape(x, [None, 8, 8, 3])
  ),
)
breaks(
  "channels-first",
  nchw=_images(
    None, 3, 8, 8, scale=lambda x: tf.transpose(x, [0, 2, 3, 1]), info=(8, 8)
  ),
)
breaks(
  "image-size-unknown",
  no_info=_images(None, None, None, 3),
  half_an_info=_images(None, None, None, 3, info=(8, 0)),
)
breaks("image-size-differs", other_info=dict(info=(9, 9)))

# The outputs.


def _output(change):
  return dict(signatures=serve(change))


def _unknown(net, shape=None):
  return v1.placeholder_with_default(net.features, shape)


def _two(net):
  """The shape is promised; a batch of another size would break it."""
  result = _unknown(net)
  result.set_shape([2, tiny.FILTERS])
  return result


breaks(
  "output-missing", called_output=_output(lambda net: {"output": net.features})
)
breaks(
  "output-dtype",
  half_precision=_output(lambda net: tf.cast(net.features, tf.float16)),
)
breaks(
  "output-rank",
  # Spatial features where a vector was promised (C4).
  feature_map=dict(
    make_features=lambda x: x, make_logits=lambda x: tiny.head(tiny.pool(x))
  ),
  unknown_rank=_output(_unknown),
)
breaks("output-batch-fixed", always_two=_output(_two))
breaks(
  "output-width-unknown",
  width_unknown=_output(lambda net: _unknown(net, [None, None])),
)
warns("endpoint-unprefixed", bare_endpoint=_output(_with_logits("logits")))


def _scores(change):
  names = ["image_classification", "default"]
  return dict(signatures=serve(lambda net: change(net.logits), names))


def _softmax_by_hand(x):
  """No softmax op is in the graph: only running shows it."""
  exponentials = tf.exp(x)
  return exponentials / tf.reduce_sum(exponentials, 1, keepdims=True)


breaks(
  "probabilities",
  # As published classifiers do.
  published_softmax=_scores(tf.nn.softmax),
  sigmoid_behind_a_copy=_scores(
    lambda x: tf.identity(tf.cast(tf.sigmoid(x), tf.float32))
  ),
  softmax_by_hand=_scores(_softmax_by_hand),
)


def _dropped_features(features, training):
  return tf.nn.dropout(features, rate=0.5) if training else features


def _dropped_logits(net):
  if not net.training:
    return net.logits
  mask = tf.random.uniform(tf.shape(net.logits)) > 0.5
  return tf.identity(net.logits * tf.cast(mask, tf.float32) / 0.5)


breaks(
  "dropout-on-output",
  dropout_on_features=dict(change_features=_dropped_features),
  dropout_on_logits=dict(
    signatures=serve(_dropped_logits, ["default", "image_classification"])
  ),
)
