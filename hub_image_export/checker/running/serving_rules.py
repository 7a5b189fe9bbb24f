# SPDX-License-Identifier: Apache-2.0
"""Whether a reusable SavedModel serves what it answers (T14)."""

from __future__ import annotations

from typing import Any

import numpy as np

from hub_image_export import contract
from hub_image_export.checker.report import Found
from hub_image_export.checker.running import probe_images
from hub_image_export.checker.running.running_object import RunningObject
from hub_image_export.tensorflow_api.compat import tf


def check_served(
  loaded: Any, running: RunningObject, size: tuple[int, int]
) -> Found:
  """Signatures of images against the plain call that they stand for.

  Others may serve something else: encoded photos, say, or names of classes.
  """
  judged = running.judged
  names = [judged.task] if judged.task else []
  if not judged.name:
    names.append(contract.SERVING_SIGNATURE)
  pair = probe_images.two_images(*size)
  answers = running.ask(pair)
  for name in names:
    signature = loaded.signatures.get(name)
    if signature is None or not _takes_images(signature):
      continue
    (key,) = signature.structured_input_signature[1]
    served = signature(**{key: tf.constant(pair)})
    apart = min(
      (probe_images.distance(np.array(v), answers) for v in served.values()),
      default=float("inf"),
    )
    if apart > running.same:
      text = (
        f"It gives {_described(served)}, and a plain call of {judged.where()} "
        "other values; expected the same, so that servers and converters get "
        "what consumers get. Serve the result of the call."
      )
      yield "default-differs", f'signature "{name}"', text, "warning"


def _takes_images(signature: Any) -> bool:
  """Whether one batch of images is all that it takes."""
  specs = list(signature.structured_input_signature[1].values())
  return len(specs) == 1 and (
    specs[0].dtype == tf.float32 and specs[0].shape.rank == 4
  )


def _described(served: dict[str, Any]) -> str:
  """`default [2, 1280]`."""
  return ", ".join(
    f"{key} {list(value.shape)}" for key, value in sorted(served.items())[:5]
  )
