"""Values of variables, and the checkpoint that a module carries them in."""

from __future__ import annotations

import os
from collections.abc import Iterable

from hub_image_export import contract
from hub_image_export.compat import tf
from hub_image_export.errors import WeightsError
from hub_image_export.variables import Variable


def write_checkpoint(prefix: str, variables: Iterable[Variable]) -> None:
  """Writes `variables` as a TF1 checkpoint, straight from their memory.

  Nothing is written where there are none: an empty checkpoint is no valid one.

  Args:
    prefix: path of the checkpoint (`…/variables/variables`).
    variables: each stands in the checkpoint under its name.

  Raises:
    OSError: it cannot be written there.
  """
  variables = list(variables)
  if not variables:
    return
  os.makedirs(os.path.dirname(prefix), exist_ok=True)
  try:
    tf.raw_ops.SaveV2(
      prefix=prefix,
      tensor_names=[variable.name for variable in variables],
      shape_and_slices=[""] * len(variables),
      tensors=[variable.read() for variable in variables],
    )
  except tf.errors.OpError as error:
    raise OSError(f"the checkpoint: {error.message}") from error


def check_finite(variables: Iterable[Variable]) -> None:
  """Raises WeightsError if a variable has a value that is NaN or infinite."""
  broken = [
    variable.name
    for variable in variables
    if variable.dtype.is_floating and not _is_finite(variable.read())
  ]
  if broken:
    raise WeightsError(
      f"{len(broken)} variables have values that are NaN or infinite: "
      f"{', '.join(broken[:5])}{', …' if len(broken) > 5 else ''}. Expected "
      "finite weights: was the training healthy, and the checkpoint whole?"
    )


def _is_finite(value) -> bool:
  return bool(tf.reduce_all(tf.math.is_finite(value)))


def parameter_count(variables: Iterable[Variable]) -> int:
  return sum(variable.shape.num_elements() for variable in variables)


def variables_prefix(module_dir: str) -> str:
  return os.path.join(module_dir, *contract.VARIABLES_PREFIX.split("/"))
