# SPDX-License-Identifier: Apache-2.0
"""Values of variables, and the checkpoint that a module carries them in."""

from __future__ import annotations

import concurrent.futures
import math
import os
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from hub_image_export import contract, progress
from hub_image_export.errors import WeightsError, reason
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.weights.variable import Variable

# Values from a file are held in memory while they are written, a group of
# variables at a time. Those in memory already are written by all processors.
_GROUP_BYTES = 64_000_000


def write_checkpoint(
  prefix: str,
  variables: Iterable[Variable],
  strings: Mapping[str, bytes] | None = None,
) -> None:
  """Writes `variables` as a checkpoint.

  Each 64 MB of values are a shard. Live values are written straight from their
  memory, shards side by side. Those that come from files are read and written
  one shard after the other: no more than that, or one large value, is in
  memory at a time.

  Nothing is written where there are none: an empty checkpoint is no valid one.

  Args:
    prefix: path of the checkpoint (`…/variables/variables`).
    variables: each stands in the checkpoint under its name.
    strings: what else stands in it, by name: the objects of TF2, say.

  Raises:
    OSError: it cannot be written there.
    WeightsError: a value cannot be read.
  """
  variables, strings = list(variables), strings or {}
  if not variables and not strings:
    return
  os.makedirs(os.path.dirname(prefix), exist_ok=True)
  groups = list(_groups(variables))
  try:
    if len(groups) == 1:
      _write_group(prefix, variables, strings)
      return
    shards = [f"{prefix}.part{i:05}" for i in range(len(groups))]
    _write_groups(shards, groups, strings)
    tf.raw_ops.MergeV2Checkpoints(
      checkpoint_prefixes=shards,
      destination_prefix=prefix,
      delete_old_dirs=False,
    )
  except tf.errors.OpError as error:
    raise OSError(f"the checkpoint: {reason(error)}") from error


def _write_groups(
  prefixes: list[str],
  groups: list[list[Variable]],
  strings: Mapping[str, bytes],
) -> None:
  """Writes a shard for each group; `strings` stand in the last one."""
  live = all(variable.stored is None for group in groups for variable in group)
  with concurrent.futures.ThreadPoolExecutor(
    os.cpu_count() if live else 1
  ) as pool:
    writing = [
      pool.submit(
        _write_group, *pair, {} if pair[1] is not groups[-1] else strings
      )
      for pair in zip(prefixes, groups)
    ]
    try:
      for written, _ in progress.shown(
        zip(writing, groups), "Writing weights", lambda w: _num_bytes(w[1])
      ):
        written.result()
    except BaseException:
      pool.shutdown(wait=False, cancel_futures=True)
      raise


def _write_group(
  prefix: str, variables: list[Variable], strings: Mapping[str, bytes]
) -> None:
  names = [*(variable.name for variable in variables), *strings]
  tf.raw_ops.SaveV2(
    prefix=prefix,
    tensor_names=names,
    shape_and_slices=[""] * len(names),
    tensors=[
      *(variable.read() for variable in variables),
      *map(tf.constant, strings.values()),
    ],
  )


def _groups(variables: list[Variable]) -> Iterator[list[Variable]]:
  """Lists of variables that are written at once, in the same order."""
  group: list[Variable] = []
  held = 0
  for variable in variables:
    if group and held + variable.num_bytes > _GROUP_BYTES:
      yield group
      group, held = [], 0
    group.append(variable)
    held += variable.num_bytes
  yield group


def _num_bytes(variables: Iterable[Variable]) -> int:
  return sum(variable.num_bytes for variable in variables)


def check_finite(variables: Iterable[Variable]) -> None:
  """Raises WeightsError if a variable has a value that is NaN or infinite."""
  broken = [
    variable.name
    for variable in progress.shown(
      variables, "Checking weights", lambda v: v.num_bytes
    )
    if variable.dtype.is_floating and not _is_finite(variable.read())
  ]
  if broken:
    raise WeightsError(
      f"{len(broken)} variables have values that are NaN or infinite: "
      f"{', '.join(broken[:5])}{', …' if len(broken) > 5 else ''}. Expected "
      "finite weights: was the training healthy, and the checkpoint whole?"
    )


def _is_finite(value) -> bool:
  try:
    # Without a copy, and without TensorFlow's preparations for each shape.
    array = np.asarray(value)
    # The sum of finite values is finite unless it overflows; it takes a
    # fraction of the time, and no memory.
    with np.errstate(over="ignore", invalid="ignore"):
      if math.isfinite(np.sum(array)):
        return True
    return bool(np.all(np.isfinite(array)))
  except MemoryError as error:
    raise WeightsError(
      f"there is not enough memory to look at a weight of shape {value.shape}: "
      "raise the limit of the process, or use a machine with more"
    ) from error


def parameter_count(variables: Iterable[Variable]) -> int:
  return sum(variable.shape.num_elements() for variable in variables)


def variables_prefix(module_dir: str) -> str:
  return os.path.join(module_dir, *contract.VARIABLES_PREFIX.split("/"))
