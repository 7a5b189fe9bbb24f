# SPDX-License-Identifier: Apache-2.0
"""The source as it was traced for inference, tried on images."""

from __future__ import annotations

from typing import Any

from hub_image_export import contract
from hub_image_export.export.interface import Interface
from hub_image_export.tensorflow_api.compat import tf

# Pixels by which another size is larger than the expected one (C15).
_LARGER = 32, 64


def another_size(interface: Interface) -> tuple[int, int]:
  """Height and width of images that a module of variable sizes must take."""
  return interface.height + _LARGER[0], interface.width + _LARGER[1]


def run(source: Any, images: Any, interface: Interface) -> Any:
  """What a reference gives for images, in signatures without momentum."""
  if not interface.bn_hparams:
    return source(tf.constant(images))
  momentum = tf.constant(contract.DEFAULT_BATCH_NORM_MOMENTUM)
  return source(tf.constant(images), momentum)
