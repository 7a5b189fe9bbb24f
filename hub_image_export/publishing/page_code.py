# SPDX-License-Identifier: Apache-2.0
"""The snippets of a module page: each is a program that runs as it stands."""

from __future__ import annotations

from hub_image_export import contract


def graph_mode(url: str) -> list[str]:
  """Lines of a program that runs the module in TF1 graph mode."""
  return f"""\
import numpy as np
import tensorflow.compat.v1 as tf
import tensorflow_hub as hub

url = "{url}"
with tf.Graph().as_default(), tf.Session() as session:
  module = hub.Module(url)
  height, width = hub.get_expected_image_size(module)
  images = tf.placeholder(tf.float32, [None, height, width, 3])
  outputs = module(images)
  session.run(tf.global_variables_initializer())
  batch = np.zeros([1, height, width, 3])  # Your images, RGB in [0, 1].
  print(session.run(outputs, {{images: batch}}))""".split("\n")


def eager_mode(url: str, height: int, width: int) -> list[str]:
  """Lines of a program that runs the module in TensorFlow 2."""
  return f"""\
import tensorflow as tf
import tensorflow_hub as hub

url = "{url}"
module = hub.load(url)
images = tf.zeros([1, {height}, {width}, 3])  # Your images, RGB in [0, 1].
print(module.signatures["default"](images=images)["default"])""".split("\n")


def fine_tuning(
  url: str, trains: bool, task: str, bn_hparams: bool
) -> list[str]:
  """Lines of a program that takes one step of fine-tuning."""
  tags = ', tags={"train"}' if trains else ""
  call = "  outputs = module(images)"
  if bn_hparams:
    call = f"""\
  inputs = dict(images=images, {contract.BATCH_NORM_MOMENTUM}=0.9)
  signature = "{contract.bn_hparams_signature(task)}"
  outputs = module(inputs, signature=signature)"""
  return f"""\
import numpy as np
import tensorflow.compat.v1 as tf
import tensorflow_hub as hub

url = "{url}"
with tf.Graph().as_default(), tf.Session() as session:
  module = hub.Module(url, trainable=True{tags})
  height, width = hub.get_expected_image_size(module)
  images = tf.placeholder(tf.float32, [None, height, width, 3])
  labels = tf.placeholder(tf.int64, [None])
{call}
  kernel = tf.get_variable("kernel", [outputs.shape[-1], 10])
  logits = tf.matmul(outputs, kernel)  # Your task, with 10 classes, say.
  loss = tf.losses.sparse_softmax_cross_entropy(labels, logits)
  loss += tf.add_n(tf.losses.get_regularization_losses() or [0.0])
  with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
    train = tf.train.GradientDescentOptimizer(0.01).minimize(loss)
  session.run(tf.global_variables_initializer())
  batch = np.zeros([2, height, width, 3])  # Your images, RGB in [0, 1].
  print(session.run([train, loss], {{images: batch, labels: [3, 7]}}))""".split(
    "\n"
  )
