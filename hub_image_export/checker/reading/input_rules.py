# SPDX-License-Identifier: Apache-2.0
"""Rules about the image input (C12 to C17)."""

from __future__ import annotations

from hub_image_export import contract
from hub_image_export.checker.judged import (
  JudgedModule,
  JudgedSignature,
  JudgedVariant,
)
from hub_image_export.checker.reading.near_misses import hint
from hub_image_export.checker.reading.tensor_rules import (
  check_image_tensor,
  is_channels_first,
)
from hub_image_export.checker.report import Found
from hub_image_export.checker.shapes import dims_of


def check_inputs(module: JudgedModule) -> Found:
  for variant in module.variants:
    yield from _check_layout(variant)
    for signature in variant.image_signatures:
      yield from _check_images(signature)
      yield from _check_size(signature)
    yield from _check_size_known(variant)
  if module.inference is not None and module.train is not None:
    yield from _check_same_size(module.inference, module.train)


def _check_images(signature: JudgedSignature) -> Found:
  inputs, place = signature.inputs, signature.where(contract.IMAGES)
  info = inputs.get(contract.IMAGES)
  if info is None:
    text = (
      f'Got the inputs {sorted(inputs)[:10]}; expected "{contract.IMAGES}"'
      f"{hint(inputs, contract.IMAGES)}."
    )
    yield "images-missing", signature.where(), text
    return
  if info.WhichOneof("encoding") != "name":
    text = "Got a sparse or composite tensor; expected a dense one."
    yield "images-sparse", place, text
    return
  yield from check_image_tensor(info.dtype, dims_of(info), place)


def _check_layout(variant: JudgedVariant) -> Found:
  """Layers that a CPU cannot compute, or only since TF 2 (C17)."""
  for node in variant.graph.all_nodes():
    if "data_format" in node.attr and node.attr["data_format"].s == b"NCHW":
      text = (
        f"Got a {node.op} of NCHW; expected NHWC, which any hardware computes. "
        "Transpose around it."
      )
      yield "channels-first", variant.where(node.name), text, "warning"


def _check_size(signature: JudgedSignature) -> Found:
  """The reported size must be one that the input takes."""
  attached = signature.variant.attached_image_size
  shape = dims_of(signature.inputs.get(contract.IMAGES))
  if attached is None or shape is None or len(shape) != 4:
    return
  if is_channels_first(shape):
    return  # Said already, and its height stands elsewhere.
  fixed = shape[1:3]
  if any(f is not None and f != a for f, a in zip(fixed, attached)):
    text = (
      f"Got height and width {fixed} in the shape; expected {attached}, the "
      "size that the attached ImageModuleInfo reports. Correct it."
    )
    yield "image-size-differs", signature.where(contract.IMAGES), text


def _check_size_known(variant: JudgedVariant) -> Found:
  sizes = [signature.image_size for signature in variant.image_signatures]
  # Without a 4-D shape, there is something else to mend first.
  if sizes and None not in sizes and variant.image_size is None:
    text = (
      "hub.get_expected_image_size fails: the shape leaves height or width "
      "unknown, and no complete ImageModuleInfo is attached to this variant. "
      "Attach one with both sides."
    )
    yield "image-size-unknown", variant.where(), text


def _check_same_size(inference: JudgedVariant, train: JudgedVariant) -> Found:
  """C16 of a module that is loaded with its tags."""
  ours, theirs = inference.image_size, train.image_size
  if ours is not None and theirs is not None and ours != theirs:
    text = (
      f"hub.get_expected_image_size gives {theirs}, and {ours} for the "
      "inference variant; expected one size for both. Attach the same "
      "ImageModuleInfo to both."
    )
    yield "image-size-differs", train.where(), text
