# SPDX-License-Identifier: Apache-2.0
"""Defects in variants, signatures, inputs and outputs (F2, F3, C1 to C17)."""

from __future__ import annotations

from hub_image_export.tensorflow_api.compat import hub, tf
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


def _info(*sizes):
  """Options of a module of any size, with an ImageModuleInfo by variant."""

  def attach(net):
    size = sizes[int(net.training)]
    if size:
      message = hub.ImageModuleInfo()
      message.default_image_size.height, message.default_image_size.width = size
      hub.attach_image_module_info(message)

  return _images(None, None, None, 3, finish=attach)


breaks(
  "image-size-unknown",
  info_at_inference_only=_info((8, 8), None),
  info_in_training_only=_info(None, (8, 8)),
)
breaks(
  "image-size-differs",
  other_info=dict(info=(9, 9)),
  another_info_in_training=_info((8, 8), (16, 8)),
)

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


def _hierarchical_softmax(x):
  """The first number chooses between the others and the rest."""
  first = tf.sigmoid(x[:, :1])
  left, right = tf.split(x[:, 1:], [1, tiny.CLASSES - 2], 1)
  return tf.concat(
    [first, first * tf.sigmoid(left), (1.0 - first) * tf.nn.softmax(right)], 1
  )


def _between_least_and_most(x):
  least, most = tf.reduce_min(x, 1, True), tf.reduce_max(x, 1, True)
  return (x - least) / (most - least)


breaks(
  "probabilities",
  # As published classifiers do.
  published_softmax=_scores(tf.nn.softmax),
  sigmoid_behind_a_copy=_scores(
    lambda x: tf.identity(tf.cast(tf.sigmoid(x), tf.float32))
  ),
  softmax_by_hand=_scores(_softmax_by_hand),
  # No softmax at all, and none over all classes.
  percent=_scores(lambda x: 100.0 * tf.sigmoid(x)),
  product_of_sigmoids=_scores(lambda x: tf.sigmoid(x) * tf.sigmoid(x - 1.0)),
  sigmoid_by_hand=_scores(lambda x: 1.0 / (1.0 + tf.exp(-x))),
  sigmoid_in_a_function=_scores(tf.function(lambda x: tf.sigmoid(x) * 1.0)),
  hierarchical_softmax=_scores(_hierarchical_softmax),
  two_softmaxes=_scores(
    lambda x: tf.concat([tf.nn.softmax(half) for half in tf.split(x, 2, 1)], 1)
  ),
  clipped=_scores(lambda x: tf.clip_by_value(x, 0.0, 1.0)),
  hard_sigmoid=_scores(lambda x: tf.nn.relu6(x + 3.0) / 6.0),
  between_least_and_most=_scores(_between_least_and_most),
)
warns(
  "probabilities",
  relu_scores=_scores(tf.nn.relu),
  softplus_by_hand=_scores(lambda x: tf.math.log(1.0 + tf.exp(x))),
  features_of_a_softmax=dict(
    make_features=lambda x: tf.nn.softmax(tiny.pool(x))
  ),
  features_that_sum_to_one=dict(
    make_features=lambda x: _softmax_by_hand(tiny.pool(x))
  ),
)


def _dropped_features(features, training):
  return tf.nn.dropout(features, rate=0.5) if training else features


def _dropped_logits(net):
  if not net.training:
    return net.logits
  mask = tf.random.uniform(tf.shape(net.logits)) > 0.5
  return tf.identity(net.logits * tf.cast(mask, tf.float32) / 0.5)


def _in_training(change):
  return dict(change_features=lambda x, training: change(x) if training else x)


def _in_inference(change):
  return dict(change_features=lambda x, training: x if training else change(x))


def _noise(x):
  return tf.random.normal(tf.shape(x), 0.0, 0.1)


def _from_drawn_seeds(x):
  seed = tf.random.uniform([2], maxval=1000, dtype=tf.int32)
  return x + tf.random.stateless_normal([tiny.FILTERS], seed)


def _alpha_dropout(x):
  kept = tf.random.uniform(tf.shape(x)) > 0.2
  return 0.9 * tf.where(kept, x, -1.76 * tf.ones_like(x)) + 0.3


breaks(
  "dropout-on-output",
  dropout_on_features=dict(change_features=_dropped_features),
  noise_on_features=_in_training(lambda x: x + _noise(x)),
  gaussian_dropout=_in_training(lambda x: x * (1.0 + _noise(x))),
  noise_before_relu=_in_training(lambda x: tf.nn.relu(x - _noise(x))),
  noise_from_drawn_seeds=_in_training(_from_drawn_seeds),
  alpha_dropout=_in_training(_alpha_dropout),
  dropout_on_logits=dict(
    signatures=serve(_dropped_logits, ["default", "image_classification"])
  ),
)
breaks(
  "not-deterministic",
  noise_at_inference=_in_inference(lambda x: x + _noise(x)),
  dropout_at_inference=_in_inference(lambda x: tf.nn.dropout(x, rate=0.5)),
)
