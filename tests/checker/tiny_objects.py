# SPDX-License-Identifier: Apache-2.0
"""Tiny reusable SavedModels, written by hand with TensorFlow's own functions.

`build(path)` gives one that conforms; each keyword replaces one part of it. No
builder of the package is used: the checker must not depend on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable

import numpy as np

from hub_image_export.tensorflow_api.compat import tf
from tests.checker.tiny import CLASSES, FILTERS


class Object(tf.Module):
  """What attributes are saved of; those of a tf.Module are not."""

  variables: Any = None
  trainable_variables: Any = None


class Network:
  """A convolution and batch norm, pooled; logits on top."""

  def __init__(self) -> None:
    self.random = np.random.RandomState(3)
    self.kernel = self.weights("conv/kernel", [3, 3, 3, FILTERS])
    self.gamma = tf.Variable(tf.ones([FILTERS]), name="bn/gamma")
    self.beta = tf.Variable(tf.zeros([FILTERS]), name="bn/beta")
    options: Any = dict(trainable=False)
    self.mean = tf.Variable(
      tf.zeros([FILTERS]), name="bn/moving_mean", **options
    )
    self.variance = tf.Variable(
      tf.ones([FILTERS]), name="bn/moving_variance", **options
    )
    self.steps = tf.Variable(0, name="steps", **options)
    self.head = self.weights("logits/kernel", [FILTERS, CLASSES])
    self.bias = self.weights("logits/bias", [CLASSES])

  def weights(self, name: str, shape: Sequence[int], **options: Any) -> Any:
    values = self.random.normal(0.1, 0.5, shape)
    return tf.Variable(tf.cast(values, tf.float32), name=name, **options)

  def normalize(self, x: Any, training: Any, momentum: Any = 0.99) -> Any:
    mean, variance = self.mean, self.variance
    if training:
      mean, variance = tf.nn.moments(x, [0, 1, 2])
      self.mean.assign_sub((self.mean - mean) * (1.0 - momentum))
      self.variance.assign_sub((self.variance - variance) * (1.0 - momentum))
    return tf.nn.batch_normalization(
      x, mean, variance, self.beta, self.gamma, 1e-3
    )

  def maps(self, images: Any, training: Any, momentum: Any = 0.99) -> Any:
    x = tf.nn.conv2d(2.0 * images - 1.0, self.kernel, 2, "SAME")
    return tf.nn.relu(self.normalize(x, training, momentum))

  def features(self, images: Any, training: Any, momentum: Any = 0.99) -> Any:
    return tf.reduce_mean(self.maps(images, training, momentum), [1, 2])

  def logits(self, images: Any, training: Any) -> Any:
    return tf.matmul(self.features(images, training), self.head) + self.bias

  @property
  def of_features(self) -> list[Any]:
    return [self.kernel, self.gamma, self.beta, self.mean, self.variance]


def images(size: int | None = 8, **options: Any) -> Any:
  shape = options.get("shape", [None, size, size, 3])
  return tf.TensorSpec(shape, options.get("dtype", tf.float32), "images")


def trace(
  function: Any, *specs: Any, ways: Sequence[dict[str, Any]] = ()
) -> Any:
  """A tf.function with a trace for each of `ways` to call it."""
  traced = tf.function(function, autograph=False)
  for options in ways or ({"training": False}, {"training": True}):
    traced.get_concrete_function(*specs, **options)
  return traced


def callable_object(
  function: Any,
  variables: Sequence[Any],
  penalties: Sequence[Any] = (),
  spec: Any = None,
  ways: Sequence[dict[str, Any]] = (),
) -> Any:
  """An object with `__call__` and the three lists (T1, T8 to T10)."""
  obj = Object()
  obj.__call__ = trace(function, spec or images(), ways=ways)
  obj.kept = list(variables)  # Whatever becomes of the lists.
  obj.variables = list(variables)
  obj.trainable_variables = [v for v in variables if v.trainable]
  obj.regularization_losses = [
    tf.function(p, input_signature=[]) for p in penalties
  ]
  return obj


def features_object(net: Network, **options: Any) -> Any:
  return callable_object(
    lambda images, training=False: net.features(images, training),
    net.of_features,
    [lambda: 0.01 * tf.nn.l2_loss(net.kernel)],
    **options,
  )


def logits_object(
  net: Network, change: Callable[[Any], Any] = lambda x: x, **options: Any
) -> Any:
  return callable_object(
    lambda images, training=False: change(net.logits(images, training)),
    [*net.of_features, net.head, net.bias],
    **options,
  )


def save(obj: Any, path: str, size: int | None = 8, serve: Any = None) -> str:
  """With the signature that converters look for (T14)."""
  serve = serve or (lambda images: {"default": obj.__call__(images)})
  served = tf.function(serve, input_signature=[images(size)], autograph=False)
  tf.saved_model.save(obj, path, signatures={"serving_default": served})
  return path


def build(
  path: str,
  make: Callable[[Network], Any] = features_object,
  change: Callable[[Any, Network], Any] = lambda obj, net: None,
  size: int | None = 8,
  serve: Callable[[Any], Any] = lambda obj: None,
) -> str:
  """Saves what `make` gives of a network, after `change`; returns `path`.

  `serve` gives another function of an object to be served.
  """
  net = Network()
  obj = make(net)
  change(obj, net)
  return save(obj, path, size, serve(obj))
