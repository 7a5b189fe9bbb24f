"""Rules that need the inference variant to run (C3 to C16)."""

from __future__ import annotations

import numpy as np

from hub_image_export import contract
from hub_image_export.checker.judged import JudgedSignature
from hub_image_export.checker.reading.output_rules import classifying_signatures
from hub_image_export.checker.report import Findings
from hub_image_export.checker.running.pixel_range_rules import check_pixel_range
from hub_image_export.checker.running.probe_images import (
  ROUNDING,
  SAME,
  distance,
  two_images,
)
from hub_image_export.checker.running.running_variant import RunningVariant
from hub_image_export.tensorflow_api.compat import tf


def check_behaviour(
  running: RunningVariant, size: tuple[int, int], findings: Findings
) -> None:
  """Asks every question with as few images as will do: four, mostly.

  Args:
    running: the inference variant.
    size: the expected height and width.
    findings: where to report.
  """
  pair = two_images(*size)
  fetches = running.outputs()
  both = running.run(fetches, pair)
  alone = running.run(fetches, pair[:1])
  again = running.run(fetches, pair[:1])
  signatures = [running.variant.signatures[name] for name in fetches]
  sound = [s for s in signatures if _is_sound(s, both[s.name], findings)]
  for signature in sound:
    name, place = signature.name, signature.where(contract.DEFAULT_OUTPUT)
    if _check_repeatable(alone[name], again[name], place, findings):
      _check_batch(both[name], alone[name], place, findings)
    _check_input_used(both[name], place, findings)
  for signature in classifying_signatures(running.variant):
    if signature in sound:
      _check_logits(signature, both[signature.name], findings)
  _check_default(sound, both, findings)
  _check_other_size(running, size, sound, findings)
  if sound:
    answers = both[sound[0].name]
    check_pixel_range(running, sound[0], pair, answers, findings)


def _is_sound(
  signature: JudgedSignature, values: np.ndarray, findings: Findings
) -> bool:
  """Two images must give two rows of numbers, as wide as promised."""
  expected = signature.width
  if not np.all(np.isfinite(values)):
    rule = "not-finite"
    text = (
      "Got NaN or infinity for images in [0, 1]; expected finite numbers. "
      "Check the weights and the preprocessing."
    )
  elif values.shape[:1] != (2,):
    rule = "output-rank"
    text = (
      f"Got an array of shape {list(values.shape)} for two images; expected "
      "one row per image."
    )
  elif expected is not None and values.shape[1:] != (expected,):
    rule = "width-differs"
    text = (
      f"Got an array of shape {list(values.shape)} for two images; expected "
      f"{expected} values per image."
    )
  else:
    return True
  findings.add(rule, signature.where(contract.DEFAULT_OUTPUT), text)
  return False


def _check_repeatable(
  first: np.ndarray, second: np.ndarray, place: str, findings: Findings
) -> bool:
  apart = distance(first, second)
  if apart <= SAME:
    return True
  text = (
    f"Got answers {apart:.1e} apart (relative) to the same image; expected the "
    "same. Keep randomness and state out of the inference variant."
  )
  findings.add("not-deterministic", place, text)
  return False


def _check_batch(
  both: np.ndarray, alone: np.ndarray, place: str, findings: Findings
) -> None:
  apart = distance(both[:1], alone)
  if apart > SAME:
    text = (
      f"Got answers {apart:.1e} apart (relative) to an image alone and beside "
      "another; expected the same. Use moving averages in the inference "
      "variant."
    )
    findings.add("batch-dependent", place, text)


def _check_input_used(both: np.ndarray, place: str, findings: Findings) -> None:
  if distance(both[0], both[1]) <= ROUNDING:
    text = (
      "Got one answer to two very different images; expected that the output "
      "depends on `images`. Check what the signature's output is."
    )
    findings.add("input-ignored", place, text)


def _check_logits(
  signature: JudgedSignature, values: np.ndarray, findings: Findings
) -> None:
  """Rows of non-negative numbers that sum to 1 come from a softmax."""
  sums = values.sum(axis=-1)
  if np.all(values >= 0) and np.all(np.abs(sums - 1) < SAME):
    text = (
      "Got non-negative scores that sum to 1; expected logits. Give what goes "
      "into the softmax."
    )
    place = signature.where(f'output "{contract.DEFAULT_OUTPUT}"')
    findings.add("probabilities", place, text)


def _check_default(
  sound: list[JudgedSignature],
  values: dict[str, np.ndarray],
  findings: Findings,
) -> None:
  """C9, by values."""
  signatures = {signature.name: signature for signature in sound}
  default = signatures.get(contract.DEFAULT_SIGNATURE)
  tasks = [task for task in contract.TASKS if task in signatures]
  if default is None or not tasks or findings.has("default-differs"):
    return
  ours = values[default.name]
  if all(distance(ours, values[task]) > SAME for task in tasks):
    text = (
      f"Got other values than those of {tasks}; expected those of one of them. "
      "Serve the primary task as `default`."
    )
    findings.add("default-differs", default.where(), text)


def _check_other_size(
  running: RunningVariant,
  size: tuple[int, int],
  signatures: list[JudgedSignature],
  findings: Findings,
) -> None:
  """C15: who leaves height and width unknown accepts others."""
  sizes = [s.image_size for s in running.variant.image_signatures]
  if not signatures or any(size != (None, None) for size in sizes):
    return
  height, width = size[0] + size[0] // 4 + 1, size[1] + size[1] // 2 + 1
  outputs = running.outputs()
  fetches = {s.name: outputs[s.name] for s in signatures}
  try:
    values = running.run(fetches, two_images(height, width)[:1])
  except tf.errors.OpError as error:
    text = (
      f"Images of {height} x {width} fail ({error.message[:200]}); expected "
      "any size, as height and width are unknown. Fix them."
    )
    place = running.variant.where(contract.IMAGES)
    findings.add("size-dependent", place, text)
    return
  for signature in signatures:
    found, expected = values[signature.name], signature.width
    if found.shape != (1, expected) or not np.all(np.isfinite(found)):
      text = (
        f"Got an array of shape {list(found.shape)} for an image of {height} x "
        f"{width}; expected [1, {expected}], finite, as for any size. Pool "
        "over height and width, or fix them."
      )
      place = signature.where(contract.DEFAULT_OUTPUT)
      findings.add("size-dependent", place, text)
