# SPDX-License-Identifier: Apache-2.0
"""Exports a synthetic network of a given size, and tells what that took.

  python -m benchmarks.growth --axis=variables --size=1000 --path=PATH
  python -m benchmarks.growth --axis=bytes --size=100000000 --path=PATH \\
      --format=saved_model --checkpoint=CHECKPOINT

Along "variables" there are `size` small kernels in a chain, and a variant for
training; along "bytes", `size` bytes in 16 tables that cost nothing to use.
With a checkpoint, the values come from there and not from the network.
Seconds and memory are those of `export_once`, without verification.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from benchmarks import measure, ways
from hub_image_export.tensorflow_api.compat import tf

_IMAGE_SIZE = 8
_WIDTH = 8
_TABLES = 16
_TABLE_WIDTH = 1000
_FLOAT_BYTES = 4
SIZES = {
  "variables": (100, 200, 500, 1000, 2000, 5000),
  "bytes": (10**7, 10**8, 4 * 10**8, 10**9, 2 * 10**9, 4 * 10**9),
}


def chain(size: int) -> Callable[..., Any]:
  """A network of `size` variables of 256 bytes."""
  kernels = [
    tf.Variable(tf.eye(_WIDTH), name=f"kernel{i}") for i in range(size)
  ]

  def network(images, is_training=False):
    x = tf.tile(tf.reduce_mean(images, [1, 2])[:, :1], [1, _WIDTH])
    if is_training:
      x = tf.nn.dropout(x, 0.5)
    for kernel in kernels:
      x = tf.matmul(x, kernel)
    return x

  return network


def tables(size: int) -> Callable[..., Any]:
  """A network of `size` bytes in a few variables, of which it reads a row."""
  rows = size // (_TABLES * _TABLE_WIDTH * _FLOAT_BYTES)
  shape = [rows, _TABLE_WIDTH]
  variables = [
    tf.Variable(tf.ones(shape), name=f"table{i}") for i in range(_TABLES)
  ]

  def network(images):
    index = tf.cast(tf.reduce_mean(images, [1, 2, 3]), tf.int32)
    return tf.add_n([tf.gather(variable, index) for variable in variables])

  return network


_NETWORKS = {"variables": chain, "bytes": tables}


def run(axis: str, size: int, path: str, **options: Any) -> dict[str, Any]:
  """`options` are those of `ways.ours`."""
  network = _NETWORKS[axis](size)
  memory = measure.Memory()
  phases = measure.Phases()
  ways.ours(network, _IMAGE_SIZE, path, phases, verify=False, **options)
  return {
    "axis": axis,
    "size": size,
    "seconds": phases.finish(),
    "peak_bytes": memory.peak(),
  }


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--axis", choices=SIZES, required=True)
  parser.add_argument("--size", type=int, required=True)
  parser.add_argument("--path", required=True)
  parser.add_argument("--format", choices=("hub", "saved_model"), default="hub")
  parser.add_argument("--checkpoint")
  flags = parser.parse_args()
  found = run(
    flags.axis,
    flags.size,
    flags.path,
    module_format=flags.format,
    checkpoint_path=flags.checkpoint,
  )
  measure.tell(found)


if __name__ == "__main__":
  main()
