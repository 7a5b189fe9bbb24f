# SPDX-License-Identifier: Apache-2.0
"""Measures the memory that an export from a large checkpoint takes.

  python -m tools.measure_checkpoint --directory=/tmp/large --used_mb=1000 \\
      --extra_mb=2000

Writes a checkpoint with variables of the module and further values, unless it
is there, and exports a module from it. Prints the process's peak memory above
what it has with the model alone, in MB.
"""

from __future__ import annotations

import os
import resource

from absl import app, flags

import hub_image_export as hie
from hub_image_export.tensorflow_api.compat import tf

_DIRECTORY = flags.DEFINE_string("directory", None, "For files.", required=True)
_USED = flags.DEFINE_integer("used_mb", 1000, "Size of the model.")
_EXTRA = flags.DEFINE_integer("extra_mb", 2000, "Size of what nothing uses.")
_TENSOR = flags.DEFINE_integer("tensor_mb", 40, "Size of each tensor.")
_WIDTH = 1000


def network(images):
  """Sums up all of its variables, and features of the images."""
  rows = _TENSOR.value * 1_000_000 // 4 // _WIDTH
  x = tf.reduce_mean(images, [1, 2])[:, :1]
  for i in range(_USED.value // _TENSOR.value):
    kernel = tf.compat.v1.get_variable(
      f"kernel{i}", [rows, _WIDTH], initializer=tf.zeros_initializer()
    )
    x += tf.reduce_mean(kernel, keepdims=True)
  return x


def _write_checkpoint(prefix: str) -> None:
  rows = _TENSOR.value * 1_000_000 // 4 // _WIDTH
  used = [f"kernel{i}" for i in range(_USED.value // _TENSOR.value)]
  extra = [f"extra{i}" for i in range(_EXTRA.value // _TENSOR.value)]
  parts = []
  for name in used + extra:
    parts.append(f"{prefix}.{name}")
    tf.raw_ops.SaveV2(
      prefix=parts[-1],
      tensor_names=[name],
      shape_and_slices=[""],
      tensors=[tf.random.normal([rows, _WIDTH])],
    )
  tf.raw_ops.MergeV2Checkpoints(
    checkpoint_prefixes=parts, destination_prefix=prefix, delete_old_dirs=False
  )


def _status(key: str) -> int:
  """A line of /proc/self/status in MB."""
  with open("/proc/self/status", encoding="ascii") as file:
    lines = dict(line.split(":", 1) for line in file)
  return int(lines[key].split()[0]) // 1000


def main(argv):
  del argv
  directory = _DIRECTORY.value
  prefix = os.path.join(directory, f"checkpoint_{_USED.value}_{_EXTRA.value}")
  if not os.path.exists(prefix + ".index"):
    os.makedirs(directory, exist_ok=True)
    _write_checkpoint(prefix)
    print("The checkpoint is written: run this again to measure.")
    return
  spec = hie.make_feature_vector_module(network, 8, 8)
  before = _status("VmRSS")
  peak_before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000
  path = os.path.join(directory, "module")
  summary = spec.export(path, prefix, overwrite=True, verify=False)
  peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000
  print(f"With the model:  {before} MB, peak until then {peak_before} MB")
  print(f"Peak of export:  {peak} MB, {peak - before} MB above the model")
  print(f"Seconds:         {sum(summary.seconds.values()):.1f}")


if __name__ == "__main__":
  app.run(main)
