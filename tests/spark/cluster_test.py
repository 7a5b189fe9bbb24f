# SPDX-License-Identifier: Apache-2.0
"""A real cluster: a master and two workers, one of which dies midway."""

from __future__ import annotations

import glob
import os
import pathlib
import signal
import subprocess
import time

import numpy as np
import pyarrow.parquet as pq
import pytest

import hub_image_export as hie
from tests.support import photos

pytest.importorskip("pyspark")
pytestmark = [pytest.mark.slow, pytest.mark.newest]

from examples import spark_cluster  # noqa: E402

_GOOD = 240
_ROOT = pathlib.Path(__file__).resolve().parents[2]


def _children(pid):
  """Processes whose parent is `pid`."""
  found = []
  for stat in glob.glob("/proc/[0-9]*/stat"):
    try:
      fields = pathlib.Path(stat).read_text().rpartition(")")[2].split()
    except OSError:
      continue
    if int(fields[1]) == pid:
      found.append(int(stat.split("/")[2]))
  return found


def _wait_for_a_task(output, process, seconds=400):
  """Returns when the first task has committed what it wrote."""
  end = time.monotonic() + seconds
  while time.monotonic() < end and process.poll() is None:
    if glob.glob(f"{output}-incomplete-*/_temporary/*/task_*"):
      return
    time.sleep(0.05)


def test_a_worker_and_its_executor_are_killed(module, tmp_path):
  folder, output = tmp_path / "photos", tmp_path / "out.parquet"
  files = photos.folder(folder, _GOOD)
  flags = (
    # Many tasks, so that there is a midway.
    "--spark_conf=spark.sql.files.maxPartitionBytes=3000000",
    "--format=json",
  )
  with spark_cluster.Cluster() as cluster:
    process = subprocess.Popen(
      spark_cluster.command(cluster, module, folder, output, *flags),
      env={**cluster.environment, "PYTHONPATH": str(_ROOT)},
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
    )
    try:
      _wait_for_a_task(output, process)
      assert process.poll() is None, process.communicate()
      assert not output.exists()
      worker = cluster.workers[0].pid
      executors = _children(worker)
      assert executors
      for pid in (worker, *executors):
        os.kill(pid, signal.SIGKILL)
      out, err = process.communicate(timeout=500)
    finally:
      process.kill()
  assert process.returncode == 2, err[-3000:]
  assert '"images": 246, "errors": 3' in out
  assert "Traceback" not in err
  rows = pq.read_table(output).to_pylist()
  assert sorted(row["path"] for row in rows) == sorted(
    str(folder / name) for name in files
  )
  with hie.open_module(module) as opened:
    expected = list(opened.rows([row["path"] for row in rows]))
  for row, wanted in zip(rows, expected):
    assert row["error"] == wanted.error
    if wanted.values is not None:
      np.testing.assert_allclose(row["values"], wanted.values, atol=1e-5)
  assert not list(tmp_path.glob("*-incomplete-*"))
