# SPDX-License-Identifier: Apache-2.0
"""The models that are measured: what publishers export, and small ones.

Weights are random, of a fixed seed: no cost measured here depends on values.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from hub_image_export.tensorflow_api.compat import tf


@dataclasses.dataclass(frozen=True)
class Case:
  """A model to measure.

  Attributes:
    size: height and width of its images, in pixels.
    batch: images per call when its throughput is measured.
    make: builds it, given the size.
  """

  name: str
  size: int
  batch: int
  make: Callable[[int], Any] = dataclasses.field(repr=False)

  def build(self) -> Any:
    """The Keras model, ready to be exported."""
    tf.keras.utils.set_random_seed(0)
    return self.make(self.size)

  def images(self) -> np.ndarray:
    """A batch of noise, float32 in [0, 1]."""
    shape = [self.batch, self.size, self.size, 3]
    noise = np.random.RandomState(0).uniform(size=shape)
    return noise.astype(np.float32)


def differs_in_training(model: Any) -> bool:
  """Whether its author would make a training variant (F2)."""
  kinds = tf.keras.layers.BatchNormalization, tf.keras.layers.Dropout
  return any(isinstance(layer, kinds) for layer in model.layers)


def weights_bytes(model: Any) -> int:
  return sum(array.nbytes for array in model.get_weights())


def _application(name: str) -> Callable[[int], Any]:
  def make(size: int) -> Any:
    return getattr(tf.keras.applications, name)(
      weights=None,
      include_top=False,
      pooling="avg",
      input_shape=(size, size, 3),
    )

  return make


def _tiny(size: int) -> Any:
  """Small enough for tests, with all that is special in a real network."""
  layers = tf.keras.layers
  return tf.keras.Sequential(
    [
      layers.InputLayer((size, size, 3)),
      layers.Conv2D(4, 3, activation="relu", name="conv"),
      layers.BatchNormalization(name="norm"),
      layers.GlobalAveragePooling2D(name="pool"),
    ]
  )


def _grouped(size: int) -> Any:
  """Grouped and pointwise convolutions in turns, as ResNeXt has them."""
  layers = tf.keras.layers
  parts = [layers.InputLayer((size, size, 3))]
  for filters in (32, 64, 128, 256, 512):
    for kernel, groups in ((1, 1), (3, 1 if filters == 32 else 8)):
      parts += [
        layers.Conv2D(
          filters,
          kernel,
          strides=2 if kernel == 3 else 1,
          groups=groups,
          padding="same",
          use_bias=False,
        ),
        layers.BatchNormalization(),
        layers.ReLU(),
      ]
  return tf.keras.Sequential([*parts, layers.GlobalAveragePooling2D()])


CASES = {
  case.name: case
  for case in (
    Case("MobileNetV2", 224, 8, _application("MobileNetV2")),
    Case("ResNet50", 224, 8, _application("ResNet50")),
    Case("EfficientNetB0", 224, 8, _application("EfficientNetB0")),
    Case("EfficientNetB7", 600, 2, _application("EfficientNetB7")),
    Case("ConvNeXtBase", 224, 8, _application("ConvNeXtBase")),
    Case("Grouped", 224, 8, _grouped),
    Case("Tiny", 16, 2, _tiny),
  )
}
DEFAULT = [name for name in CASES if name not in ("Grouped", "Tiny")]
