"""The expected image size, as consumers learn it (C15, C16)."""

from __future__ import annotations

from hub_image_export import contract
from hub_image_export.checker import module as modules


def input_size(
  variant: modules.Variant, signature: str
) -> tuple[int | None, int | None] | None:
  """Height and width in the shape of `images`; None without a 4-D shape."""
  inputs = variant.signatures[signature].inputs
  if contract.IMAGES not in inputs:
    return None
  shape = modules.dims(inputs[contract.IMAGES].tensor_shape)
  if shape is None or len(shape) != 4:
    return None
  return shape[1], shape[2]


def expected_size(variant: modules.Variant) -> tuple[int, int] | None:
  """What `hub.get_expected_image_size` answers, or None where it fails."""
  attached = modules.attached_image_size(variant)
  if attached:
    return attached
  for signature in variant.image_signatures:
    size = input_size(variant, signature)
    if size and size[0] and size[1]:
      return size[0], size[1]
  return None
