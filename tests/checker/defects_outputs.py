"""Defects of outputs that the files show (C3 to C7, C10)."""

from __future__ import annotations

from hub_image_export.tensorflow_api.compat import hub, tf
from tests.checker import tiny
from tests.checker.corpus import breaks, warns

v1 = tf.compat.v1


def outputs(path, change=lambda net: net.features, key="default", **options):
  """A module whose features are changed on the way to the signatures."""

  def signatures(net):
    images = {"images": net.images}
    result = {key: change(net)}
    hub.add_signature("default", images, result)
    hub.add_signature("image_feature_vector", images, result)

  tiny.build(path, signatures=signatures, **options)


@breaks("output-missing")
def called_output(path):
  outputs(path, key="output")


@breaks("output-dtype")
def half_precision(path):
  outputs(path, lambda net: tf.cast(net.features, tf.float16))


@breaks("output-rank")
def feature_map(path):
  """Spatial features where a vector was promised (C4)."""
  tiny.build(
    path,
    make_features=lambda x: x,
    make_logits=lambda x: tiny.head(tiny.pool(x)),
  )


@breaks("output-rank")
def unknown_rank(path):
  outputs(
    path,
    lambda net: v1.placeholder_with_default(net.features, None),
  )


@breaks("output-batch-fixed")
def always_two(path):
  def two(net):
    result = v1.placeholder_with_default(net.features, None)
    result.set_shape([2, tiny.FILTERS])
    return result

  tiny_two(path, two)


def tiny_two(path, two):
  """The shape is promised; a batch of another size would break it."""
  outputs(path, two)


@breaks("output-width-unknown")
def width_unknown(path):
  outputs(
    path,
    lambda net: v1.placeholder_with_default(net.features, [None, None]),
  )


@warns("endpoint-unprefixed")
def bare_endpoint(path):
  def signatures(net):
    images = {"images": net.images}
    result = {"default": net.features, "logits": net.logits}
    hub.add_signature("default", images, result)
    hub.add_signature("image_feature_vector", images, result)

  tiny.build(path, signatures=signatures)


def classifier(path, change, default=True):
  def signatures(net):
    images = {"images": net.images}
    result = {"default": change(net.logits)}
    hub.add_signature("image_classification", images, result)
    hub.add_signature("default", images, result)

  tiny.build(path, signatures=signatures)


@breaks("probabilities")
def published_softmax(path):
  """As published classifiers do."""
  classifier(path, tf.nn.softmax)


@breaks("probabilities")
def sigmoid_behind_a_copy(path):
  classifier(path, lambda x: tf.identity(tf.cast(tf.sigmoid(x), tf.float32)))


@breaks("probabilities")
def softmax_by_hand(path):
  """No softmax op is in the graph: only running shows it."""

  def softmax(x):
    exponentials = tf.exp(x)
    return exponentials / tf.reduce_sum(exponentials, 1, keepdims=True)

  classifier(path, softmax)


@breaks("dropout-on-output")
def dropout_on_features(path):
  def change(features, training):
    return tf.nn.dropout(features, rate=0.5) if training else features

  tiny.build(path, change_features=change)


@breaks("dropout-on-output")
def dropout_on_logits(path):
  def signatures(net):
    logits = net.logits
    if net.training:
      mask = tf.cast(tf.random.uniform(tf.shape(logits)) > 0.5, tf.float32)
      logits = tf.identity(logits * mask / 0.5)
    images = {"images": net.images}
    hub.add_signature("default", images, {"default": logits})
    hub.add_signature("image_classification", images, {"default": logits})

  tiny.build(path, signatures=signatures)
