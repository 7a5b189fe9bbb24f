# SPDX-License-Identifier: Apache-2.0
"""The images for which a module is compared with its source."""

from __future__ import annotations

import numpy as np

from hub_image_export import contract
from hub_image_export.export import reference
from hub_image_export.export.interface import Interface


def inference_batches(interface: Interface) -> list[np.ndarray]:
  """One image with structure, a black and a white one, one of another size."""
  size = interface.height, interface.width
  flat = np.zeros([2, *size, contract.NUM_CHANNELS], np.float32)
  flat[1] = contract.PIXEL_MAX
  batches = [_structured(1, *size), flat]
  if interface.variable_size:
    batches.append(_structured(1, *reference.another_size(interface)))
  return batches


def training_images(interface: Interface) -> np.ndarray:
  return _structured(2, interface.height, interface.width)


def _structured(count: int, height: int, width: int) -> np.ndarray:
  """Images of random blocks and fine noise, in [0, 1]."""
  random = np.random.RandomState(count)
  coarse = (count, -(-height // 8), -(-width // 8), contract.NUM_CHANNELS)
  blocks = random.uniform(size=coarse).repeat(8, axis=1).repeat(8, axis=2)
  noise = random.uniform(size=(count, height, width, contract.NUM_CHANNELS))
  return (0.7 * blocks[:, :height, :width] + 0.3 * noise).astype(np.float32)
