# SPDX-License-Identifier: Apache-2.0
"""Tiny modules, written by hand with tensorflow_hub's own functions.

`build(path)` gives a module that conforms; each keyword replaces one part of
it. No builder of the package is used: the checker must not depend on them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Callable

from hub_image_export.tensorflow_api.compat import hub, tf

v1 = tf.compat.v1
FILTERS = 6
CLASSES = 4
BOTH = (set(), {"train"})


@dataclasses.dataclass
class Network:
  """The tensors of one variant, before its signatures are added."""

  images: Any
  features: Any
  logits: Any
  momentum: Any
  training: bool


def variable(name: str, shape: Sequence[int], **kwargs: Any) -> Any:
  initializer = kwargs.pop(
    "initializer", tf.compat.v1.random_normal_initializer(0.1, 0.5, seed=3)
  )
  return v1.get_variable(name, shape, initializer=initializer, **kwargs)


def placeholder(size: int | None = 8, **kwargs: Any) -> Any:
  shape = kwargs.pop("shape", [None, size, size, 3])
  return v1.placeholder(kwargs.pop("dtype", tf.float32), shape, "pixels")


def batch_norm(x: Any, training: bool, momentum: Any) -> Any:
  """Batch norm whose updates are in UPDATE_OPS in the training variant."""
  width = x.shape[-1]
  zeros, ones = v1.zeros_initializer(), v1.ones_initializer()
  gamma = variable("bn/gamma", [width], initializer=ones)
  beta = variable("bn/beta", [width], initializer=zeros)
  mean = variable("bn/moving_mean", [width], initializer=zeros, trainable=False)
  var = variable(
    "bn/moving_variance", [width], initializer=ones, trainable=False
  )
  if not training:
    return tf.nn.batch_normalization(x, mean, var, beta, gamma, 1e-3)
  batch_mean, batch_var = tf.nn.moments(x, [0, 1, 2])
  for average, batch in ((mean, batch_mean), (var, batch_var)):
    v1.add_to_collection(
      v1.GraphKeys.UPDATE_OPS,
      v1.assign_sub(average, (average - batch) * (1.0 - momentum)),
    )
  return tf.nn.batch_normalization(x, batch_mean, batch_var, beta, gamma, 1e-3)


def body(x: Any, training: bool, momentum: Any) -> Any:
  """A convolution and batch norm; fully convolutional."""
  kernel = variable("conv/kernel", [3, 3, 3, FILTERS])
  x = tf.nn.conv2d(x, kernel, 2, "SAME", name="conv/conv")
  return tf.nn.relu(batch_norm(x, training, momentum))


def pool(x: Any) -> Any:
  return tf.reduce_mean(x, [1, 2])


def head(features: Any) -> Any:
  kernel = variable("logits/kernel", [FILTERS, CLASSES])
  bias = variable("logits/bias", [CLASSES])
  return tf.matmul(features, kernel) + bias


def serve(
  outputs: Callable[[Network], Any] = lambda net: net.features,
  names: Sequence[str] = ("default", "image_feature_vector"),
  more_inputs: dict[str, Any] | None = None,
  images: str = "images",
) -> Callable[[Network], None]:
  """What adds signatures `names`; `outputs` gives `default`, or all in a dict.

  They take the images, under the name `images`, and `more_inputs`.
  """

  def add(net: Network) -> None:
    results = outputs(net)
    if not isinstance(results, dict):
      results = {"default": results}
    inputs = {images: net.images, **(more_inputs or {})}
    for name in names:
      hub.add_signature(name, inputs, results)

  return add


serve_features = serve()


def add_signatures(net: Network) -> None:
  """Both tasks; features are the primary one."""
  serve_features(net)
  serve(lambda net: net.logits, ["image_classification"])(net)


def build(
  path: str,
  *,
  make_images: Callable[[], Any] = placeholder,
  scale: Callable[[Any], Any] = lambda x: 2.0 * x - 1.0,
  make_body: Callable[..., Any] = body,
  make_features: Callable[[Any], Any] = pool,
  change_features: Callable[..., Any] = lambda x, training: x,
  make_logits: Callable[[Any], Any] = head,
  signatures: Callable[[Network], None] = add_signatures,
  finish: Callable[[Network], None] = lambda net: None,
  make_momentum: Callable[[], Any] = lambda: 0.99,
  variants: Sequence[set[str]] = BOTH,
  info: tuple[int, int] | None = None,
  scope: Callable[[], Any] = lambda: v1.variable_scope(""),
) -> str:
  """Exports a module to `path`; returns `path`."""

  def module_fn(training: bool) -> None:
    with scope():
      images = make_images()
      momentum = make_momentum()
      x = make_body(scale(images), training, momentum)
      features = change_features(make_features(x), training)
      logits = make_logits(features)
      net = Network(images, features, logits, momentum, training)
      signatures(net)
      if info:
        message = hub.ImageModuleInfo()
        size = message.default_image_size
        size.height, size.width = info
        hub.attach_image_module_info(message)
      finish(net)

  tags_and_args = [(tags, {"training": "train" in tags}) for tags in variants]
  spec = hub.create_module_spec(module_fn, tags_and_args)
  # The training variant is instantiated first if that is the only one with a
  # variable: hub saves the variables of the one that it instantiates.
  with tf.Graph().as_default(), v1.Session() as session:
    module = hub.Module(spec, tags=variants[0])
    session.run(v1.global_variables_initializer())
    session.run(v1.tables_initializer())
    module.export(path, session)
  return path
