# SPDX-License-Identifier: Apache-2.0
"""The snippets of a module page: each is a program that runs as it stands.

They take a photo from the file `photo.jpg`, scaled as C12 and C16 ask.
"""

from __future__ import annotations

from hub_image_export import contract
from hub_image_export.publishing.module_facts import ModuleFacts

_IMPORTS = """\
import tensorflow.compat.v1 as tf
import tensorflow_hub as hub
"""
_BEST = 5


def graph_mode(url: str, facts: ModuleFacts) -> list[str]:
  """Lines of a program that runs the module in TF1 graph mode."""
  call, proto = "tf.image.resize_images([photo], size)", ""
  show = "  print(session.run(outputs))"
  if facts.is_classifier and facts.labels:
    proto = "from google.protobuf import struct_pb2\n"
    show = _best_classes(facts)
    if facts.default_task != contract.IMAGE_CLASSIFICATION:
      call += f', signature="{contract.IMAGE_CLASSIFICATION}"'
  return f"""\
{_IMPORTS}{proto}
url = "{url}"
with tf.Graph().as_default(), tf.Session() as session:
  module = hub.Module(url)
  size = hub.get_expected_image_size(module)
  photo = tf.image.decode_jpeg(tf.read_file("photo.jpg"), channels=3)
  photo = tf.image.convert_image_dtype(photo, tf.float32)  # RGB in [0, 1].
  outputs = module({call})
  session.run(tf.global_variables_initializer())
{show}""".split("\n")


def _best_classes(facts: ModuleFacts) -> str:
  count = min(_BEST, facts.widths[contract.IMAGE_CLASSIFICATION])
  labels = f'"{contract.CLASS_LABELS}"'
  return f"""\
  labels = module.get_attached_message({labels}, struct_pb2.ListValue)
  logits, classes = session.run(tf.math.top_k(outputs, {count}))
  for logit, index in zip(logits[0], classes[0]):
    print("%.3f" % logit, labels[int(index)])"""


def eager_mode(url: str, height: int, width: int) -> list[str]:
  """Lines of a program that runs the module in TensorFlow 2."""
  return f"""\
import tensorflow as tf
import tensorflow_hub as hub

url = "{url}"
module = hub.load(url)
photo = tf.io.decode_jpeg(tf.io.read_file("photo.jpg"), channels=3)
photo = tf.image.convert_image_dtype(photo, tf.float32)  # RGB in [0, 1].
images = tf.image.resize([photo], [{height}, {width}])
print(module.signatures["default"](images=images)["default"])""".split("\n")


def reusable(url: str, facts: ModuleFacts) -> list[str]:
  """Lines of a program that runs the TF2 SavedModel, and fine-tunes it."""
  height, width = facts.image_size
  features = facts.widths[facts.default_task]
  return f"""\
import tensorflow as tf
import tensorflow_hub as hub

url = "{url}"
module = hub.load(url)  # Or hub.KerasLayer(url, trainable=True) in Keras 2.
photo = tf.io.decode_jpeg(tf.io.read_file("photo.jpg"), channels=3)
photo = tf.image.convert_image_dtype(photo, tf.float32)  # RGB in [0, 1].
images = tf.image.resize([photo], [{height}, {width}])
print(module(images))

kernel = tf.Variable(tf.zeros([{features}, 10]))
variables = [kernel, *module.trainable_variables]
with tf.GradientTape() as tape:
  logits = module(images, training=True) @ kernel  # Your task, 10 classes, say.
  loss = tf.nn.sparse_softmax_cross_entropy_with_logits([3], logits)
  loss += sum(penalty() for penalty in module.regularization_losses)
for variable, gradient in zip(variables, tape.gradient(loss, variables)):
  variable.assign_sub(0.01 * gradient)
print(loss)""".split("\n")


def fine_tuning(url: str, facts: ModuleFacts) -> list[str]:
  """Lines of a program that takes one step of fine-tuning."""
  tags = ', tags={"train"}' if facts.trains else ""
  call = "  outputs = module(images)"
  if facts.bn_hparams:
    call = f"""\
  inputs = dict(images=images, {contract.BATCH_NORM_MOMENTUM}=0.9)
  signature = "{contract.bn_hparams_signature(facts.default_task)}"
  outputs = module(inputs, signature=signature)"""
  return f"""\
{_IMPORTS}
url = "{url}"
photos, labels = ["photo.jpg", "photo.jpg"], [3, 7]  # Yours, all of them.
with tf.Graph().as_default(), tf.Session() as session:
  module = hub.Module(url, trainable=True{tags})
  size = hub.get_expected_image_size(module)
  batch = [tf.image.decode_jpeg(tf.read_file(p), channels=3) for p in photos]
  batch = [tf.image.convert_image_dtype(p, tf.float32) for p in batch]
  images = tf.stack([tf.image.resize_images(p, size) for p in batch])
{call}
  kernel = tf.get_variable("kernel", [outputs.shape[-1], 10])
  logits = tf.matmul(outputs, kernel)  # Your task, with 10 classes, say.
  loss = tf.losses.sparse_softmax_cross_entropy(labels, logits)
  loss += tf.add_n(tf.losses.get_regularization_losses() or [0.0])
  with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
    train = tf.train.GradientDescentOptimizer(0.01).minimize(loss)
  session.run(tf.global_variables_initializer())
  print(session.run([train, loss]))""".split("\n")
