# SPDX-License-Identifier: Apache-2.0
"""Answers of one variant: their form, and what they share (C3 to C15, H1)."""

from __future__ import annotations

import numpy as np

from hub_image_export import contract
from hub_image_export.checker.judged import JudgedSignature
from hub_image_export.checker.report import Found
from hub_image_export.checker.running.probe_images import (
  ROUNDING,
  SAME,
  distance,
  other_size,
  two_images,
)
from hub_image_export.checker.running.running_variant import RunningVariant
from hub_image_export.tensorflow_api.compat import tf

NOT_FINITE = (
  "not-finite",
  "Got NaN or infinity for images in [0, 1]; expected finite numbers. Check "
  "the weights and the preprocessing.",
)


def misshapen(
  expected: int | None, rows: np.ndarray, number: int
) -> tuple[str, str]:
  """The rule that is broken unless there is a row for each image."""
  if rows.dtype != np.float32:
    return "output-dtype", (
      f"Got {rows.dtype}; expected float32, which is promised. Cast it inside "
      "the module."
    )
  got = f"Got an array of shape {list(rows.shape)} for {number} images;"
  if rows.shape[:1] != (number,):
    return "output-rank", f"{got} expected one row per image."
  if expected is not None and rows.shape[1:] != (expected,):
    return "width-differs", f"{got} expected {expected} values per image."
  return "", ""


def check_rows_differ(rows: np.ndarray, place: str) -> Found:
  """C4; the first two of `rows` answer images that have little in common."""
  if distance(rows[0], rows[1]) <= ROUNDING:
    text = (
      "Got one answer to two very different images; expected that the output "
      "depends on `images`. Check what the signature's output is."
    )
    yield "input-ignored", place, text


def check_default(
  sound: list[JudgedSignature], values: dict[str, np.ndarray]
) -> Found:
  """C9, by values."""
  signatures = {signature.name: signature for signature in sound}
  default = signatures.get(contract.DEFAULT_SIGNATURE)
  tasks = [task for task in contract.TASKS if task in signatures]
  if default is None or not tasks:
    return
  ours = values[default.name]
  if all(distance(ours, values[task]) > SAME for task in tasks):
    text = (
      f"Got other values than those of {tasks}; expected those of one of them. "
      "Serve the primary task as `default`."
    )
    yield "default-differs", default.where(), text


def check_hyperparameter_answers(
  sound: list[JudgedSignature], values: dict[str, np.ndarray]
) -> Found:
  """H1: with the usual momentum, answers are those of the task."""
  signatures = {signature.name: signature for signature in sound}
  for task in contract.TASKS:
    other = signatures.get(contract.bn_hparams_signature(task))
    if task not in signatures or other is None:
      continue
    apart = distance(values[other.name], values[task])
    if apart > SAME:
      text = (
        f"Got answers {apart:.1e} apart (relative) from those of {task}; "
        "expected the same, as no momentum is given. Serve the same tensor."
      )
      yield "bn-hparams-dead", other.where(), text


def check_endpoints(running: RunningVariant, pair: np.ndarray) -> Found:
  """C10: what `default` and its task call alike is the same.

  Only what the graph does not show to be the same is run.
  """
  variant = running.variant
  if variant.primary_task is None:
    return
  default = variant.signatures[contract.DEFAULT_SIGNATURE]
  task = variant.signatures[variant.primary_task]
  for key in sorted(default.outputs.keys() & task.outputs.keys()):
    names = [s.outputs[key].name for s in (default, task)]
    sources = map(variant.graph.behind_forwarding, filter(None, names))
    if len(set(map(variant.fingerprint, sources))) < 2:
      continue
    ours, theirs = running.run([running.tensor(n) for n in names], pair)
    if distance(ours, theirs) > running.same:
      text = (
        f"Got other values than those of {task.name}, the task that it serves; "
        "expected the same. Serve the same tensor."
      )
      yield "default-differs", default.where(f'output "{key}"'), text


def check_other_size(
  running: RunningVariant,
  size: tuple[int, int],
  signatures: list[JudgedSignature],
) -> Found:
  """C15: who leaves height and width unknown accepts others."""
  known = [s.image_size for s in running.variant.image_signatures]
  other = other_size(size, known)
  if not signatures or other is None:
    return
  height, width = other
  outputs = running.outputs()
  fetches = {s.name: outputs[s.name] for s in signatures}
  try:
    values = running.run(fetches, two_images(height, width)[:1])
  except tf.errors.OpError as error:
    text = (
      f"Images of {height} x {width} fail ({error.message[:200]}); expected "
      "any size, where the shape leaves it unknown. Fix the size."
    )
    place = running.variant.where(contract.IMAGES)
    yield "size-dependent", place, text
    return
  for signature in signatures:
    found, expected = values[signature.name], signature.width
    if found.shape != (1, expected) or not np.all(np.isfinite(found)):
      text = (
        f"Got an array of shape {list(found.shape)} for an image of {height} x "
        f"{width}; expected [1, {expected}], finite, as for any size. Pool "
        "over height and width, or fix the size."
      )
      place = signature.where(contract.DEFAULT_OUTPUT)
      yield "size-dependent", place, text
