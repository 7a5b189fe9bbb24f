"""Modules that reach out of their directory (F5)."""

from __future__ import annotations

import pathlib

from hub_image_export.tensorflow_api.compat import tf
from tests.checker import tiny
from tests.checker.corpus import breaks, warns
from tests.checker.defects_files import with_table

v1 = tf.compat.v1


@breaks("not-hermetic")
def python_function(path):
  def scale(x):
    y = v1.py_func(lambda a: a * 2 - 1, [x], tf.float32)
    y.set_shape(x.shape)
    return y

  tiny.build(path, scale=scale)


@breaks("not-hermetic")
def reads_a_file(path):
  def scale(x):
    text = tf.io.read_file("/etc/hostname")
    return x + 0.0 * tf.cast(tf.strings.length(text), tf.float32)

  tiny.build(path, scale=scale)


@breaks("not-hermetic")
def writes_a_file(path):
  def scale(x):
    with tf.control_dependencies([tf.io.write_file("stolen", "data")]):
      return tf.identity(x)

  tiny.build(path, scale=scale)


@breaks("not-hermetic")
def prints_to_a_file(path):
  def scale(x):
    printing = tf.print("data", output_stream="file:///dev/null")
    with tf.control_dependencies([printing]):
      return tf.identity(x)

  tiny.build(path, scale=scale)


@breaks("not-hermetic")
def sampler_with_a_vocabulary_file(path):
  """An op whose kernel reads the file that an attribute names."""

  def scale(x):
    sampled = tf.random.fixed_unigram_candidate_sampler(
      tf.zeros([1, 1], tf.int64), 1, 1, True, 3, vocab_file="/etc/passwd"
    )
    return x + 0.0 * tf.cast(sampled[0][0], tf.float32)

  tiny.build(path, scale=scale)


@breaks("not-hermetic")
def link_that_leads_out(path):
  file = pathlib.Path(tiny.build(path)) / "assets.extra" / "labels.txt"
  file.parent.mkdir()
  file.symlink_to("/etc/hostname")


@breaks("not-hermetic")
def asset_outside(path):
  with_table(path)
  with_proto = pathlib.Path(path) / "saved_model.pb"
  content = with_proto.read_bytes()
  assert b"words.txt" in content
  with_proto.write_bytes(content.replace(b"words.txt", b"../../../"))


@warns("not-hermetic")
def dead_restore(path):
  tiny.build(
    path,
    finish=lambda net: v1.train.Saver(v1.global_variables(), name="leftover"),
  )
