# SPDX-License-Identifier: Apache-2.0
"""Uses a reusable SavedModel as `hub.KerasLayer` does, of any version of hub.

Also run by the Python 3.7 of TensorFlow 1.15 (no newer syntax, and nothing of
the package):

  python3.7 -m tests.support.keras_layer_probe PATH HEIGHT WIDTH ENDPOINT TASK

PATH is a module with an endpoint, no dropout, and, of two tasks, a sub-object.
"""

import sys

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub

from tests.support import reusable_probe


def tuned(make, batches):
  """Losses and final values of three steps; `make` loads anew."""
  used, call, penalties = make()
  losses = reusable_probe.fine_tune(
    call, used.trainable_variables, penalties, batches
  )
  return losses, reusable_probe.values(used.variables)


def load(path):
  return tf.compat.v2.saved_model.load(path)


def as_object(path):
  obj = load(path)
  return (
    obj,
    lambda x: obj(x, training=True),
    obj.regularization_losses,
  )


def as_layer(path, of=lambda path: path):
  layer = hub.KerasLayer(of(path), trainable=True)
  return (
    layer,
    lambda x: layer(x, training=True),
    [lambda: sum(layer.losses)],
  )


def assert_same(first, second):
  np.testing.assert_allclose(first[0], second[0], rtol=1e-4)
  assert first[1].keys() == second[1].keys()
  for name, value in first[1].items():
    np.testing.assert_allclose(
      second[1][name], value, rtol=1e-4, atol=1e-6, err_msg=name
    )


def main(path, height, width, endpoint, task):
  batches = [reusable_probe.images(i, height, width) for i in range(3)]
  obj = load(path)
  expected = obj(batches[0])
  assert_same(
    tuned(lambda: as_object(path), batches),
    tuned(lambda: as_layer(path), batches),
  )
  frozen = hub.KerasLayer(path)
  assert not reusable_probe.moved(
    list(frozen.variables), lambda: frozen(batches[0], training=True)
  )
  np.testing.assert_allclose(frozen(batches[0]), expected, rtol=1e-5)
  hidden = obj(batches[0], return_endpoints=True)[endpoint]
  layer = hub.KerasLayer(
    path, arguments={"return_endpoints": True}, output_key=endpoint
  )
  np.testing.assert_allclose(layer(batches[0]), hidden, rtol=1e-5)
  if not tf.__version__.startswith("1."):  # There hub calls none with success.
    layer = hub.KerasLayer(path, signature=task, output_key=endpoint)
    np.testing.assert_allclose(layer(batches[0]), hidden, rtol=1e-5)
    every = hub.KerasLayer(path, signature=task, signature_outputs_as_dict=True)
    assert set(every(batches[0])) >= {"default", endpoint}
  if hasattr(obj, task):  # T12
    alone = lambda path: getattr(hub.load(path), task)  # noqa: E731
    used = as_layer(path, alone)
    np.testing.assert_allclose(
      used[0](batches[0]), getattr(obj, task)(batches[0]), rtol=1e-5
    )
    tuned(lambda: used, batches)
  print("hub", hub.__version__, "TensorFlow", tf.__version__)


if __name__ == "__main__":
  main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
