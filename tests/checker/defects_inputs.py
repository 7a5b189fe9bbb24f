"""Defects of the image input (C12 to C17)."""

from __future__ import annotations

from hub_image_export.tensorflow_api.compat import hub, tf
from tests.checker import tiny
from tests.checker.corpus import breaks

v1 = tf.compat.v1


def input_named(path, name):
  def signatures(net):
    for signature in ("default", "image_feature_vector"):
      hub.add_signature(
        signature, {name: net.images}, {"default": net.features}
      )

  tiny.build(path, signatures=signatures)


@breaks("images-missing")
def image(path):
  input_named(path, "image")


@breaks("images-missing")
def input_1(path):
  input_named(path, "input_1")


@breaks("images-dtype")
def bytes_of_pixels(path):
  tiny.build(
    path,
    make_images=lambda: tiny.placeholder(dtype=tf.uint8),
    scale=lambda x: tf.cast(x, tf.float32) / 255.0,
  )


@breaks("images-rank")
def flat_images(path):
  tiny.build(
    path,
    make_images=lambda: tiny.placeholder(shape=[None, 192]),
    scale=lambda x: tf.reshape(x, [-1, 8, 8, 3]),
    info=(8, 8),
  )


@breaks("images-sparse")
def sparse_images(path):
  def scale(x):
    dense = tf.sparse.to_dense(x)
    return tf.reshape(dense, [-1, 8, 8, 3])

  tiny.build(
    path,
    make_images=lambda: v1.sparse_placeholder(tf.float32, [None, 8, 8, 3]),
    scale=scale,
    info=(8, 8),
  )


@breaks("images-batch-fixed")
def batches_of_two(path):
  def features(x):
    return tf.ensure_shape(tiny.pool(x), [None, tiny.FILTERS])

  tiny.build(
    path,
    make_images=lambda: tiny.placeholder(shape=[2, 8, 8, 3]),
    scale=lambda x: v1.placeholder_with_default(x, [None, 8, 8, 3]),
    make_features=features,
  )


@breaks("images-channels")
def grey_images(path):
  tiny.build(
    path,
    make_images=lambda: tiny.placeholder(shape=[None, 8, 8, 1]),
    scale=lambda x: tf.tile(x, [1, 1, 1, 3]),
  )


@breaks("images-channels")
def unknown_channels(path):
  tiny.build(
    path,
    make_images=lambda: tiny.placeholder(shape=[None, 8, 8, None]),
    scale=lambda x: tf.ensure_shape(x, [None, 8, 8, 3]),
  )


@breaks("channels-first")
def nchw(path):
  tiny.build(
    path,
    make_images=lambda: tiny.placeholder(shape=[None, 3, 8, 8]),
    scale=lambda x: tf.transpose(x, [0, 2, 3, 1]),
    info=(8, 8),
  )


@breaks("image-size-unknown")
def no_info(path):
  tiny.build(path, make_images=lambda: tiny.placeholder(None))


@breaks("image-size-unknown")
def half_an_info(path):
  tiny.build(path, make_images=lambda: tiny.placeholder(None), info=(8, 0))


@breaks("image-size-differs")
def other_info(path):
  tiny.build(path, info=(9, 9))
