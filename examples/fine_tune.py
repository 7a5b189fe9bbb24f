# SPDX-License-Identifier: Apache-2.0
"""Fine-tunes an image module by plain TF1 graph code and exports it again.

  python -m examples.digits --export_path=digits_module
  python -m examples.fine_tune --module=digits_module --export_path=tuned_module

The module knows white digits on black. Here it learns black digits on white,
turned by 90 degrees. It runs unchanged on TF 1.15 with plain tensorflow_hub.
"""

import numpy as np
import tensorflow.compat.v1 as tf
from absl import app, flags

from examples import digits_data

try:
  from hub_image_export import hub
except ImportError:
  import tensorflow_hub as hub

_MODULE = flags.DEFINE_string(
  "module", None, "Directory of the module to start from.", required=True
)
_EXPORT_PATH = flags.DEFINE_string(
  "export_path", None, "Directory of the fine-tuned module.", required=True
)
_STEPS = flags.DEFINE_integer("steps", 300, "Training steps of 32 images each.")
_LEARNING_RATE = flags.DEFINE_float(
  "learning_rate", 3e-3, "Adam's step size at first; it falls to 0."
)

_BATCH_SIZE = 32


def load_digits(path):
  """Digits of the size that the module at `path` expects, black on white."""
  height, width = hub.get_expected_image_size(hub.load_module_spec(path))
  digits = digits_data.load(height, width)
  return digits._replace(
    train_images=np.rot90(1.0 - digits.train_images, axes=(1, 2)),
    test_images=np.rot90(1.0 - digits.test_images, axes=(1, 2)),
  )


def classify(module, images):
  outputs = module(
    dict(images=images), signature="image_classification", as_dict=True
  )
  return outputs["default"]


def accuracy(path, digits):
  """The share of the test images that the module classifies correctly."""
  with tf.Graph().as_default(), tf.Session() as session:
    logits = classify(hub.Module(path), digits.test_images)
    session.run(tf.global_variables_initializer())
    classes = np.argmax(session.run(logits), axis=-1)
  return np.mean(classes == digits.test_labels)


def fine_tune(path, digits, export_path, steps, learning_rate):
  """Trains all weights of the module at `path`; writes a new module.

  Returns:
    The loss of each step.
  """
  with tf.Graph().as_default(), tf.Session() as session:
    module = hub.Module(path, trainable=True, tags={"train"})
    shape = (None,) + digits.train_images.shape[1:]
    images = tf.placeholder(tf.float32, shape)
    labels = tf.placeholder(tf.int64, [None])
    loss = tf.losses.sparse_softmax_cross_entropy(
      labels, classify(module, images)
    )
    loss += tf.losses.get_regularization_loss()

    # Weights that come to rest let the moving averages of batch norm, which
    # inference uses and which lag behind them, catch up.
    step = tf.train.get_or_create_global_step()
    step_size = tf.train.cosine_decay(learning_rate, step, steps)
    # The moving averages move with these, and not without.
    updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
    with tf.control_dependencies(updates):
      optimizer = tf.train.AdamOptimizer(step_size)
      train_op = optimizer.minimize(loss, global_step=step)

    session.run(tf.global_variables_initializer())
    random = np.random.RandomState(0)
    losses = []
    for _ in range(steps):
      batch = random.randint(len(digits.train_labels), size=_BATCH_SIZE)
      feed = {
        images: digits.train_images[batch],
        labels: digits.train_labels[batch],
      }
      losses.append(session.run([loss, train_op], feed)[0])
    module.export(export_path, session)
  return losses


def main(argv):
  del argv
  digits = load_digits(_MODULE.value)
  print(f"Accuracy before: {accuracy(_MODULE.value, digits):.1%}")
  losses = fine_tune(
    _MODULE.value,
    digits,
    _EXPORT_PATH.value,
    _STEPS.value,
    _LEARNING_RATE.value,
  )
  first, last = np.mean(losses[:10]), np.mean(losses[-10:])
  print(f"Loss: {first:.3f} at first, {last:.3f} at last")
  print(f"Accuracy after: {accuracy(_EXPORT_PATH.value, digits):.1%}")


if __name__ == "__main__":
  app.run(main)
