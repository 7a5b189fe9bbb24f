"""Rules that need the inference variant to run (C3 to C16)."""

from __future__ import annotations

import numpy as np

from hub_image_export import contract
from hub_image_export.checker.reading.image_size import input_size
from hub_image_export.checker.reading.outputs import classifying_signatures
from hub_image_export.checker.reading.variants import width
from hub_image_export.checker.report import Findings
from hub_image_export.checker.running import images
from hub_image_export.checker.running.pixel_range import check_pixel_range
from hub_image_export.checker.running.session import LoadedVariant
from hub_image_export.tensorflow_api.compat import tf

_Outputs = dict[str, np.ndarray]


def check_behaviour(
  loaded: LoadedVariant, size: tuple[int, int], findings: Findings
) -> None:
  """Asks every question with as few images as will do: four, mostly.

  Args:
    loaded: the inference variant.
    size: the expected height and width.
    findings: where to report.
  """
  pair = images.two_images(*size)
  fetches = loaded.outputs()
  both = loaded.run(fetches, pair)
  alone = loaded.run(fetches, pair[:1])
  again = loaded.run(fetches, pair[:1])
  sound = [
    name
    for name in fetches
    if _check_finite(loaded, name, both[name], findings)
    and _check_rows(loaded, name, both[name], findings)
  ]
  for name in sound:
    place = loaded.variant.where(name, contract.DEFAULT_OUTPUT)
    if _check_repeatable(alone[name], again[name], place, findings):
      _check_batch(both[name], alone[name], place, findings)
    _check_input_used(both[name], place, findings)
  for name in classifying_signatures(loaded.variant):
    if name in sound:
      _check_logits(loaded, name, both[name], findings)
  _check_default(loaded, {name: both[name] for name in sound}, findings)
  _check_other_size(loaded, size, sound, findings)
  if sound:
    check_pixel_range(loaded, sound[0], pair, both[sound[0]], findings)


def _check_finite(
  loaded: LoadedVariant, name: str, values: np.ndarray, findings: Findings
) -> bool:
  if np.all(np.isfinite(values)):
    return True
  findings.add(
    "not-finite",
    loaded.variant.where(name, contract.DEFAULT_OUTPUT),
    "Got NaN or infinity for images in [0, 1]; expected finite numbers. Check "
    "the weights and the preprocessing.",
  )
  return False


def _check_rows(
  loaded: LoadedVariant, name: str, values: np.ndarray, findings: Findings
) -> bool:
  """Two images must give two rows, as wide as promised."""
  expected = width(loaded.variant, name)
  if values.ndim and values.shape[0] == 2:
    if expected is None or values.shape[1:] == (expected,):
      return True
    text, rule = f"{expected} values per image", "width-differs"
  else:
    text, rule = "one row per image", "output-rank"
  findings.add(
    rule,
    loaded.variant.where(name, contract.DEFAULT_OUTPUT),
    f"Got an array of shape {list(values.shape)} for two images; expected "
    f"{text}.",
  )
  return False


def _check_repeatable(
  first: np.ndarray, second: np.ndarray, place: str, findings: Findings
) -> bool:
  apart = images.distance(first, second)
  if apart <= images.SAME:
    return True
  findings.add(
    "not-deterministic",
    place,
    f"Got answers {apart:.1e} apart (relative) to the same image; expected "
    "the same. Keep randomness and state out of the inference variant.",
  )
  return False


def _check_batch(
  both: np.ndarray, alone: np.ndarray, place: str, findings: Findings
) -> None:
  apart = images.distance(both[:1], alone)
  if apart > images.SAME:
    findings.add(
      "batch-dependent",
      place,
      f"Got answers {apart:.1e} apart (relative) to an image alone and beside "
      "another; expected the same. Use moving averages in the inference "
      "variant.",
    )


def _check_input_used(both: np.ndarray, place: str, findings: Findings) -> None:
  if images.distance(both[0], both[1]) <= images.ROUNDING:
    findings.add(
      "input-ignored",
      place,
      "Got one answer to two very different images; expected that the output "
      "depends on `images`. Check what the signature's output is.",
    )


def _check_logits(
  loaded: LoadedVariant, name: str, values: np.ndarray, findings: Findings
) -> None:
  """Rows of non-negative numbers that sum to 1 come from a softmax."""
  sums = values.sum(axis=-1)
  if np.all(values >= 0) and np.all(np.abs(sums - 1) < images.SAME):
    findings.add(
      "probabilities",
      loaded.variant.where(name, f'output "{contract.DEFAULT_OUTPUT}"'),
      "Got non-negative scores that sum to 1; expected logits. Give what goes "
      "into the softmax.",
    )


def _check_default(
  loaded: LoadedVariant, values: _Outputs, findings: Findings
) -> None:
  """C9, by values."""
  tasks = [task for task in contract.TASKS if task in values]
  ours = values.get(contract.DEFAULT_SIGNATURE)
  if ours is None or not tasks or findings.has("default-differs"):
    return
  if all(images.distance(ours, values[task]) > images.SAME for task in tasks):
    findings.add(
      "default-differs",
      loaded.variant.where(contract.DEFAULT_SIGNATURE),
      f"Got other values than those of {tasks}; expected those of one of "
      "them. Serve the primary task as `default`.",
    )


def _check_other_size(
  loaded: LoadedVariant,
  size: tuple[int, int],
  names: list[str],
  findings: Findings,
) -> None:
  """C15: who leaves height and width unknown accepts others."""
  sizes = [
    input_size(loaded.variant, n) for n in loaded.variant.image_signatures
  ]
  if not names or any(s is None or s[0] or s[1] for s in sizes):
    return
  other = size[0] + size[0] // 4 + 1, size[1] + size[1] // 2 + 1
  fetches = {name: loaded.output(name) for name in names}
  place = loaded.variant.where(tensor=contract.IMAGES)
  try:
    values = loaded.run(fetches, images.two_images(*other)[:1])
  except tf.errors.OpError as error:
    findings.add(
      "size-dependent",
      place,
      f"Images of {other[0]} x {other[1]} fail ({error.message[:200]}); "
      "expected any size, as height and width are unknown. Fix them.",
    )
    return
  for name in names:
    expected = width(loaded.variant, name)
    if values[name].shape != (1, expected) or not np.all(
      np.isfinite(values[name])
    ):
      findings.add(
        "size-dependent",
        loaded.variant.where(name, contract.DEFAULT_OUTPUT),
        f"Got an array of shape {list(values[name].shape)} for an image of "
        f"{other[0]} x {other[1]}; expected [1, {expected}], finite, as for "
        "any size. Pool over height and width, or fix them.",
      )
