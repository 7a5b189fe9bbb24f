# SPDX-License-Identifier: Apache-2.0
"""What images and results are, in either format (C3 to C17, T2 to T5)."""

from __future__ import annotations

from hub_image_export import contract
from hub_image_export.checker.report import Found
from hub_image_export.checker.shapes import (
  FLOAT32,
  Shape,
  dtype_name,
  shape_text,
)


def check_image_tensor(dtype: int, shape: Shape | None, place: str) -> Found:
  """A dense tensor that is to be a batch of images."""
  if dtype != FLOAT32:
    text = (
      f"Got {dtype_name(dtype)}; expected float32 in [0, 1]. Cast and scale "
      "inside the module."
    )
    yield "images-dtype", place, text
  text = f"Got the shape {shape_text(shape)}; expected [?, height, width, 3]."
  if shape is None or len(shape) != 4:
    yield "images-rank", place, f"{text} Reshape inside the module."
    return
  if shape[0] is not None:
    advice = "Leave the batch size unknown when the graph is built."
    yield "images-batch-fixed", place, f"{text} {advice}"
  if is_channels_first(shape):
    advice = "Take channels_last images and transpose inside the module."
    yield "channels-first", place, f"{text} {advice}"
  elif shape[3] != contract.NUM_CHANNELS:
    yield "images-channels", place, f"{text} Take RGB images, known as such."


def is_channels_first(shape: Shape) -> bool:
  channels = contract.NUM_CHANNELS
  return shape[3] != channels and shape[1] == channels


def check_result_tensor(
  dtype: int, shape: Shape | None, place: str, is_dense: bool = True
) -> Found:
  """What is to be a row of numbers for each image."""
  if not is_dense or dtype != FLOAT32:
    text = (
      f"Got {dtype_name(dtype)}{'' if is_dense else ', not dense'}; expected a "
      "dense float32 tensor. Cast it inside the module."
    )
    yield "output-dtype", place, text
  text = f"Got the shape {shape_text(shape)}; expected [?, width]."
  if shape is None or len(shape) != 2:
    advice = "Pool or flatten the spatial dimensions, and let the rank be"
    yield "output-rank", place, f"{text} {advice} known."
    return
  if shape[0] is not None:
    advice = "Let the batch size follow the input's."
    yield "output-batch-fixed", place, f"{text} {advice}"
  if shape[1] is None:
    advice = (
      "The width must be a constant of the module; set it with a reshape, or "
      "pool over height and width."
    )
    yield "output-width-unknown", place, f"{text} {advice}"
