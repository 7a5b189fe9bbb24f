# SPDX-License-Identifier: Apache-2.0
"""Tiny SavedModels for the tests; each is saved to a directory first."""

from __future__ import annotations

import os
import types

from hub_image_export.tensorflow_api.compat import tf
from tests.support import function_sources, keras_sources
from tests.support.live import Source


def saved_module(directory: str) -> Source:
  """A SavedModel with `__call__(images, training)`."""
  net = function_sources.Net()
  saved = tf.Module()
  saved.net = net
  images = tf.TensorSpec([None, None, None, 3], tf.float32)
  saved.__call__ = tf.function(lambda x, training=False: net(x, training))
  for training in (False, True):
    saved.__call__.get_concrete_function(images, training=training)
  path = os.path.join(directory, "saved_module")
  tf.saved_model.save(saved, path)
  loaded = tf.saved_model.load(path)

  def call(images, training):
    return loaded(images, training=training)

  net = loaded.net
  owner = types.SimpleNamespace(
    variables=[net.kernel, net.mean, net.variance],
    trainable_variables=[net.kernel],
  )
  return Source(fn=loaded, owner=owner, call=call)


def saved_path(directory: str) -> Source:
  """The same, by its path; the test reads what it holds for itself."""
  source = saved_module(directory)
  path = os.path.join(directory, "saved_module")
  return Source(fn=path, owner=source.owner, call=source.call)


def saved_by_keras(directory: str) -> Source:
  """A SavedModel with `__call__(images, training)` (of Keras 2)."""
  model = keras_sources.functional().owner
  path = os.path.join(directory, "saved_by_keras")
  model.save(path)
  loaded = tf.saved_model.load(path)

  def call(images, training):
    return loaded(images, training)

  return Source(fn=loaded, owner=loaded, call=call)


def exported_by_keras(directory: str) -> Source:
  """A SavedModel with a serving signature alone (of Keras 3)."""
  model = keras_sources.sequential().owner
  path = os.path.join(directory, "exported_by_keras")
  model.export(path, verbose=False)

  def call(images, training):
    del training  # It can only infer.
    return model(images, training=False)

  return Source(fn=path, owner=None, call=call)
