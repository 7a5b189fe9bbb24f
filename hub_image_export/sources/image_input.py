# SPDX-License-Identifier: Apache-2.0
"""Whether an input takes batches of images as modules do (C12 to C17)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hub_image_export.arguments import called
from hub_image_export.tensorflow_api.compat import tf


def check(name: str, shape: Any, dtype: Any, height: int, width: int) -> None:
  """Raises ValueError if an input cannot have float32 images of that size.

  Args:
    name: of the source, for the message.
    shape: of its input; None where it is unknown.
    dtype: likewise.
    height, width: of the images, in pixels.
  """
  dtype = tf.as_dtype(dtype)
  if dtype == tf.string:
    raise ValueError(
      f"{name} takes encoded images (bytes): expected float32, RGB in [0, 1] "
      "(C12). Export the model without what decodes, or, if it has a signature "
      f"that takes pixels, choose that one with {called('output')}"
    )
  if shape is not None:
    _check_shape(name, tuple(shape), height, width)
  if not dtype.is_floating:
    # Keras casts silently, and pixels in [0, 1] are 0 as integers.
    raise ValueError(
      f"{name} takes {dtype.name} images: expected float32, RGB in [0, 1] "
      "(C12). Wrap it in a function that converts, say with "
      f"tf.image.convert_image_dtype(images, tf.{dtype.name})"
    )


def _check_shape(name: str, shape: tuple, height: int, width: int) -> None:
  if len(shape) != 4:
    raise ValueError(
      f"{name} takes inputs of shape {shape}: expected "
      f"[batch_size, {height}, {width}, 3] (C12)"
    )
  if shape[1] == 3 and shape[3] not in (3, None):
    raise ValueError(
      f"{name} takes inputs of shape {shape}, which is channels_first: "
      "expected channels_last (C17). Build it with "
      "data_format='channels_last'"
    )
  if shape[3] not in (3, None):
    how = "tf.image.rgb_to_grayscale" if shape[3] == 1 else "tf.concat"
    raise ValueError(
      f"{name} takes images of {shape[3]} channels: expected 3, RGB (C12). "
      f"Wrap it in a function that converts, say with {how}"
    )
  if shape[1] not in (None, height) or shape[2] not in (None, width):
    raise ValueError(
      f"{name} takes images of {shape[1]}x{shape[2]} pixels: got "
      f"{called('height', height)}, {called('width', width)}. Give the model's "
      "own size, or build the model for the size that you want"
    )
  if shape[0] is not None:
    raise ValueError(
      f"{name} has a fixed batch size of {shape[0]}: expected any (C14). "
      "Build or save it with a batch of any size (None)"
    )


def common_size(specs: Iterable[Any]) -> tuple[int | None, int | None]:
  """Height and width of those inputs that are images, where they agree."""
  sizes = {
    tuple(spec.shape[1:3])
    for spec in specs
    if isinstance(spec, tf.TensorSpec) and spec.shape.rank == 4
  }
  return sizes.pop() if len(sizes) == 1 else (None, None)
