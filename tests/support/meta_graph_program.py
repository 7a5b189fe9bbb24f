# SPDX-License-Identifier: Apache-2.0
"""A training program of TF1, run in a process of its own by the tests.

  python meta_graph_program.py DIRECTORY MODE

writes `model.ckpt` and, in `expected.npz`, what its session gives for
`images.npy`. Modes: `switch` (a placeholder `is_training`), `inference`,
`training`, `resources` (resource variables), `parts` (partitioned).
"""

import os
import sys

import numpy as np
import tensorflow.compat.v1 as tf

MOMENTUM = 0.9


def _variable(name, shape, **options):
  initializer = tf.random_uniform_initializer(0.2, 0.7, seed=len(name))
  return tf.get_variable(name, shape, initializer=initializer, **options)


def _batch_norm(x, is_training):
  mean = _variable("moving_mean", [4], trainable=False, partitioner=None)
  scale = _variable("gamma", [4], partitioner=None)
  if isinstance(is_training, bool):
    center = mean if not is_training else tf.reduce_mean(x, [0, 1, 2])
    if is_training:
      update = tf.assign_sub(mean, (mean - center) * (1 - MOMENTUM))
      tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, update)
  else:
    batch = tf.reduce_mean(x, [0, 1, 2])
    center = tf.cond(is_training, lambda: batch, lambda: tf.identity(mean))
    kept = tf.cond(
      is_training,
      lambda: mean * MOMENTUM + batch * (1 - MOMENTUM),
      lambda: tf.identity(mean),
    )
    tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, tf.assign(mean, kept))
  return (x - center) * scale


def main(directory, mode):
  tf.disable_v2_behavior()
  if mode == "resources":
    tf.enable_resource_variables()
  images = tf.placeholder(tf.float32, [None, 6, 5, 3], name="images")
  is_training = mode == "training"
  if mode == "switch":
    is_training = tf.placeholder(tf.bool, [], name="is_training")
  partitioner = tf.fixed_size_partitioner(2) if mode == "parts" else None
  with tf.variable_scope("net", partitioner=partitioner):
    kernel = _variable(
      "conv/weights",
      [3, 3, 3, 4],
      regularizer=lambda w: 0.01 * tf.nn.l2_loss(w),
    )
    x = tf.nn.conv2d(images, kernel, 2, "SAME")
    x = tf.nn.relu(_batch_norm(x, is_training))
    x = tf.reduce_mean(x, [1, 2])
    logits = tf.matmul(x, _variable("logits/weights", [4, 3]), name="logits")
  tf.add_to_collection("endpoints", logits)
  step = tf.train.get_or_create_global_step()
  loss = tf.reduce_sum(tf.square(logits)) * 1.0
  tf.losses.add_loss(loss)
  tf.summary.scalar("loss", loss)
  train = tf.train.AdamOptimizer(0.01).minimize(loss, global_step=step)
  tf.add_to_collection("train_op", train)
  saver = tf.train.Saver()
  given = np.load(os.path.join(directory, "images.npy"))
  expected = {}
  with tf.Session() as session:
    session.run(tf.global_variables_initializer())
    saver.save(session, os.path.join(directory, "model.ckpt"))
    for phase in (False, True):
      feeds = {images: given}
      if mode == "switch":
        feeds[is_training] = phase
      expected[str(phase)] = session.run(logits, feeds)
    session.run(tf.get_collection(tf.GraphKeys.UPDATE_OPS), feeds)
    mean = [v for v in tf.global_variables() if "moving_mean" in v.op.name][0]
    expected["mean"] = session.run(mean)
  np.savez(os.path.join(directory, "expected.npz"), **expected)


if __name__ == "__main__":
  main(*sys.argv[1:])
