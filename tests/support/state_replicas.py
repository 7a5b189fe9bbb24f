# SPDX-License-Identifier: Apache-2.0
"""Sources made under a distribution strategy: several values per variable."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from hub_image_export.tensorflow_api.compat import tf
from tests.support import state_modules
from tests.support.keras_sources import SHAPE, as_source, keras, layers
from tests.support.live import Source

SOURCES: dict[str, Callable[[], Source]] = {}


def _source(make):
  SOURCES[make.__name__] = make
  return make


def _two_processors() -> bool:
  """Replicas need two devices, which are decided on before the first op."""
  (cpu,) = tf.config.list_physical_devices("CPU")
  two = [tf.config.LogicalDeviceConfiguration()] * 2
  with contextlib.suppress(RuntimeError):
    tf.config.set_logical_device_configuration(cpu, two)
  return len(tf.config.list_logical_devices("CPU")) == 2


@_source
def replicas() -> Source:
  """Trained, and so made, under a strategy with two replicas."""
  strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
  with strategy.scope():
    return as_source(
      keras.Sequential(
        [
          layers.InputLayer(SHAPE),
          layers.Conv2D(4, 3, kernel_regularizer="l2"),
          layers.BatchNormalization(momentum=0.9),
          layers.ReLU(),
          layers.GlobalAveragePooling2D(),
          layers.Dense(3),
        ]
      )
    )


@_source
def replicas_of_a_module() -> Source:
  strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
  with strategy.scope():
    return state_modules.running_mean_used_at_once()


@_source
def replicas_in_control_flow() -> Source:
  with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    return state_modules.written_in_control_flow()


if not _two_processors():
  SOURCES.clear()
