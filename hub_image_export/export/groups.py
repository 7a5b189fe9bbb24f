# SPDX-License-Identifier: Apache-2.0
"""Grouped convolutions in a reusable SavedModel: whole, or group by group."""

from __future__ import annotations

from absl import logging

from hub_image_export.arguments import called
from hub_image_export.tensorflow_api import known_ops
from hub_image_export.tensorflow_api.runtime import run_eagerly


def are_split(wanted: bool | None) -> bool:
  """Whether they are computed group by group; tells what that means.

  Args:
    wanted: None to leave them whole where the CPU here computes them.
  """
  if wanted is not None:
    return wanted
  if run_eagerly(known_ops.groups_run_here):
    logging.warning(
      "Grouped convolutions stay whole: TensorFlow 1.15, and CPUs on which "
      "TensorFlow does without oneDNN, compute none. For these give %s",
      called("split_groups", True),
    )
    return False
  logging.warning(
    "Grouped convolutions are computed group by group: on the CPU here, where "
    "TensorFlow does without oneDNN, none is computed whole. That is slower on "
    "GPUs; TF_ENABLE_ONEDNN_OPTS=1 in the environment leaves them as they are"
  )
  return True
