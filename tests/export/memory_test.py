# SPDX-License-Identifier: Apache-2.0
"""How much memory an export takes above its network: not that of the weights.

Each export has a process of its own, whose peak counts.
"""

from __future__ import annotations

import sys

import pytest

from benchmarks import processes

_WEIGHTS = 1_000_000_000
# What is in memory is written from there. What comes from a checkpoint is read
# by shards of 64 MB; TensorFlow holds each value as much as three times.
_LIMITS = {"network": 100_000_000, "checkpoint": 300_000_000}

pytestmark = [
  pytest.mark.slow,
  pytest.mark.skipif(sys.platform != "linux", reason="It asks Linux."),
]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
  """Values of the network's variables, in a checkpoint."""
  path = tmp_path_factory.mktemp("memory") / "module"
  _export(path, "hub")
  return path / "variables" / "variables"


def _export(path, module_format, **flags):
  found = processes.run(
    "benchmarks.growth",
    axis="bytes",
    size=_WEIGHTS,
    path=path,
    format=module_format,
    **flags,
  )
  files = [file for file in path.rglob("*") if file.is_file()]
  assert sum(file.stat().st_size for file in files) > _WEIGHTS
  return found["peak_bytes"]


@pytest.mark.parametrize("source", ["network", "checkpoint"])
@pytest.mark.parametrize("module_format", ["hub", "saved_model"])
def test_large_weights_are_not_copied(
  source, module_format, checkpoint, tmp_path
):
  flags = {"checkpoint": checkpoint} if source == "checkpoint" else {}
  assert _export(tmp_path / "module", module_format, **flags) < _LIMITS[source]
