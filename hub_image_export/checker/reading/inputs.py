"""Rules about the image input (C12 to C17) and the momentum (H1)."""

from __future__ import annotations

from typing import Any

from hub_image_export import contract
from hub_image_export.checker import module as modules
from hub_image_export.checker.reading.image_size import (
  expected_size,
  input_size,
)
from hub_image_export.checker.reading.near_misses import hint
from hub_image_export.checker.report import Findings
from hub_image_export.tensorflow_api.compat import tf

_FLOAT32 = tf.float32.as_datatype_enum


def check_inputs(module: modules.Module, findings: Findings) -> None:
  for variant in module.variants:
    _check_layout(variant, findings)
    for signature in variant.image_signatures:
      _check_images(variant, signature, findings)
      _check_size(variant, signature, findings)
  _check_size_known(module, findings)


def _check_images(
  variant: modules.Variant, signature: str, findings: Findings
) -> None:
  inputs = variant.signatures[signature].inputs
  place = variant.where(signature, contract.IMAGES)
  if contract.IMAGES not in inputs:
    findings.add(
      "images-missing",
      variant.where(signature),
      f'Got the inputs {sorted(inputs)[:10]}; expected "{contract.IMAGES}"'
      f"{hint(inputs, contract.IMAGES)}.",
    )
    return
  info = inputs[contract.IMAGES]
  if info.WhichOneof("encoding") != "name":
    findings.add(
      "images-sparse",
      place,
      "Got a sparse or composite tensor; expected a dense one.",
    )
    return
  if info.dtype != _FLOAT32:
    findings.add(
      "images-dtype",
      place,
      f"Got {modules.dtype_name(info.dtype)}; expected float32 in [0, 1]. "
      "Cast and scale inside the module.",
    )
  _check_shape(info, place, findings)


def _check_shape(info: Any, place: str, findings: Findings) -> None:
  shape = modules.dims(info.tensor_shape)
  text = (
    f"Got the shape {modules.shown(shape)}; expected [?, height, width, 3]."
  )
  if shape is None or len(shape) != 4:
    findings.add("images-rank", place, f"{text} Reshape inside the module.")
    return
  if shape[0] is not None:
    findings.add(
      "images-batch-fixed",
      place,
      f"{text} Leave the batch size unknown when the graph is built.",
    )
  if shape[3] == contract.NUM_CHANNELS:
    return
  if shape[1] == contract.NUM_CHANNELS:
    findings.add(
      "channels-first",
      place,
      f"{text} Take channels_last images and transpose inside the module.",
    )
  else:
    findings.add(
      "images-channels", place, f"{text} Take RGB images, known as such."
    )


def _check_layout(variant: modules.Variant, findings: Findings) -> None:
  """Layers that a CPU cannot compute, or only since TF 2 (C17)."""
  for node in variant.graph.all_nodes():
    if "data_format" in node.attr and node.attr["data_format"].s == b"NCHW":
      findings.add(
        "channels-first",
        variant.where(tensor=node.name),
        f"Got a {node.op} of NCHW; expected NHWC, which any hardware computes. "
        "Transpose around it.",
        severity="warning",
      )


def _check_size(
  variant: modules.Variant, signature: str, findings: Findings
) -> None:
  """The reported size must be one that the input takes."""
  attached = modules.attached_image_size(variant)
  fixed = input_size(variant, signature)
  if attached is None or fixed is None or findings.has("channels-first"):
    return
  if any(f is not None and f != a for f, a in zip(fixed, attached)):
    findings.add(
      "image-size-differs",
      variant.where(signature, contract.IMAGES),
      f"Got height and width {fixed} in the shape; expected {attached}, the "
      "size that the attached ImageModuleInfo reports. Correct it.",
    )


def _check_size_known(module: modules.Module, findings: Findings) -> None:
  variant = module.main
  if variant is None or not variant.image_signatures:
    return
  if any(
    input_size(variant, name) is None for name in variant.image_signatures
  ):
    return  # Said already: no 4-D `images`.
  if expected_size(variant) is None:
    findings.add(
      "image-size-unknown",
      variant.where(),
      "hub.get_expected_image_size fails: the shape leaves height or width "
      "unknown, and no complete ImageModuleInfo is attached to this variant. "
      "Attach one with both sides.",
    )
