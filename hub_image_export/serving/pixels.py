# SPDX-License-Identifier: Apache-2.0
"""Images of any kind as pixels: arrays, paths, encoded bytes, Pillow's."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import numpy as np

from hub_image_export import arguments, contract
from hub_image_export.serving import decoding

_KINDS = (
  "an image: a uint8 array, a float array in [0, 1], the path of a file, its "
  "bytes, or an image of Pillow's"
)
# Of interpolation in float32, beyond [0, 1].
_ROUNDING = 1e-4


def each(images: Any) -> Iterable[Any]:
  """One image after the other: of a batch, a list, or the one that is given."""
  if isinstance(
    images, (str, os.PathLike, bytes, bytearray, memoryview)
  ) or decoding.is_pillow(images):
    return [images]
  shape = getattr(images, "shape", None)
  if shape is not None:
    array = np.asarray(images)
    return array if array.ndim == 4 else [array]
  if not isinstance(images, Iterable):
    raise arguments.wrong_type("images", images, f"{_KINDS}; or a list of them")
  return images


def of(image: Any) -> np.ndarray:
  """The pixels of one image (C12).

  Args:
    image: an array `[height, width, 3]` (or gray, or with alpha, which is
      left out) of uint8, uint16 or floats in [0, 1]; the path of an image
      file; its content; or an image of Pillow's.

  Returns:
    `[height, width, 3]`, `uint8` or, in [0, 1], `float32`.

  Raises:
    ValueError: it cannot be read, decoded, or understood.
    ImportError: it has to be decoded, and Pillow is not installed.
  """
  if isinstance(image, (str, os.PathLike)):
    return decoding.decode(decoding.read(os.fspath(image)))
  if isinstance(image, (bytes, bytearray, memoryview)):
    return decoding.decode(bytes(image))
  if decoding.is_pillow(image):
    return decoding.from_pillow(image)
  if image is None:
    raise ValueError(f"it is None: expected {_KINDS}")
  return _of_array(image)


def _of_array(image: Any) -> np.ndarray:
  array = np.asarray(image)
  if array.ndim == 2:
    array = array[:, :, None]
  if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or not array.size:
    hint = ""
    if array.ndim == 3 and array.shape[0] in (1, 3, 4):
      hint = ". Move the channels to the end (C17)"
    raise ValueError(
      f"it has the shape {array.shape}: expected [height, width, 3]{hint}"
    )
  if array.shape[2] != contract.NUM_CHANNELS:
    array = (
      np.broadcast_to(array[:, :, :1], (*array.shape[:2], 3))
      if (array.shape[2] == 1)
      else array[:, :, :3]
    )
  if array.dtype == np.uint8:
    return array
  if array.dtype == np.uint16:
    return (array / 65535.0).astype(np.float32)
  if not np.issubdtype(array.dtype, np.floating):
    raise ValueError(
      f"its numbers are {array.dtype}: expected uint8 in [0, 255], or floats "
      "in [0, 1] (C12)"
    )
  low, high = float(array.min()), float(array.max())
  if not (low >= -_ROUNDING and high <= contract.PIXEL_MAX + _ROUNDING):
    raise ValueError(
      f"its numbers are in [{low:g}, {high:g}]: expected floats in [0, 1] "
      "(C12). Of [0, 255], give uint8, or divide by 255"
    )
  return array.astype(np.float32)
