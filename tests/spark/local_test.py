# SPDX-License-Identifier: Apache-2.0
"""Modules on a local Spark: the rows are those of a plain loop."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow.parquet as pq
import pytest

import hub_image_export as hie
from tests.support import photos

pyspark = pytest.importorskip("pyspark")
pytestmark = [pytest.mark.slow, pytest.mark.newest]

from hub_image_export.spark import module_udf, start_session  # noqa: E402
from hub_image_export.spark.photos import Photos, read  # noqa: E402

_RUN = [sys.executable, "-m", "hub_image_export.command_line.run_module"]


@pytest.fixture(scope="module")
def spark():
  # As on a cluster, a task that fails is tried four times.
  session = start_session("local[2,4]")
  yield session
  session.stop()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  path = tmp_path_factory.mktemp("photos [1]{a}") / "_all"
  path.mkdir()
  photos.folder(path, 20)
  return path


def _expected(module, paths):
  with hie.open_module(module) as opened:
    return dict(zip(paths, opened.rows(list(paths))))


def test_module_udf_is_the_plain_loop(spark, module, folder):
  files = spark.read.format("binaryFile").load(
    str(folder / "photo*.png").replace("[1]{a}", r"\[1\]\{a\}")
  )
  ask = module_udf(module, "image_feature_vector", batch_size=3)
  rows = files.select("path", ask("content").alias("m")).collect()
  found = {row.path.removeprefix("file:"): row.m for row in rows}
  with hie.open_module(module) as opened:
    for path, m in found.items():
      wanted = opened(path, signature="image_feature_vector")[0]
      np.testing.assert_allclose(m["values"], wanted, atol=1e-5)
      assert m.error is None
  assert len(found) == 10


def test_any_table_with_bytes(spark, module):
  table = [(1, photos.encoded(photos.pixels())), (2, b"x"), (3, b""), (4, None)]
  frame = spark.createDataFrame(table, "number int, picture binary")
  ask = module_udf(module, output="Pets/conv")
  rows = frame.select("number", ask("picture").alias("m")).collect()
  assert [row.m["values"] is not None for row in rows] == [True] + [False] * 3
  assert [row.m.error is None for row in rows] == [True] + [False] * 3
  assert len(rows[0].m["values"]) == 6 * 5 * 4


def test_every_file_is_read_once_whatever_its_name(spark, folder):
  named = [str(folder), str(folder / "inner"), f"file://{folder}/_raw"]
  found = read(spark, Photos.of(spark, named)).collect()
  files = {str(p): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
  assert sorted(row.path for row in found) == sorted(files)
  for row in found:
    assert row.told is not None or bytes(row.content) == files[row.path]


def test_a_hidden_folder_beside_others(spark, folder):
  """What is above of what was named does not hide it."""
  (folder.parent / "link").symlink_to(folder / "inner")
  named = [folder / "inner", folder / "_raw", folder.parent / "link"]
  found = read(spark, Photos.of(spark, list(map(str, named)))).collect()
  files = [str(p) for root in named for p in root.iterdir()]
  assert sorted(row.path for row in found) == sorted(files)
  assert all(row.content for row in found)


def test_odd_names_and_links_in_circles(spark, tmp_path):
  expected = photos.odd(tmp_path / "odd")
  content = photos.encoded(photos.pixels())
  for changed in ("up", "a:b.png", None):
    rows = read(spark, Photos.of(spark, [str(tmp_path / "odd")])).collect()
    found = {os.path.relpath(row.path, tmp_path / "odd"): row for row in rows}
    assert len(rows) == len(expected)
    assert {n: row.told is None for n, row in found.items()} == expected
    for name, good in expected.items():
      assert not good or bytes(found[name].content) == content
    if changed:  # Then the folder itself is what Spark reads.
      (tmp_path / "odd" / changed).unlink()
      expected.pop(changed, None)


@pytest.mark.parametrize("package", ["tensorflow", "hub_image_export"])
def test_a_module_that_does_not_load_on_executors_is_told_once(
  package, spark, module, tmp_path, monkeypatch
):
  attempts = tmp_path / "attempts"
  (tmp_path / "path").mkdir()
  (tmp_path / "path/sitecustomize.py").write_text(
    "import sys\n"
    "class Finder:\n"
    "  def find_spec(self, name, *unused):\n"
    f"    if name == {package!r}:\n"
    f"      open({str(attempts)!r}, 'a').write('x')\n"
    "      raise ImportError('it is not installed here')\n"
    "sys.meta_path.insert(0, Finder())\n"
  )
  python = tmp_path / "python"
  python.write_text(
    f"#!/bin/sh\nexport PYTHONPATH={tmp_path}/path:$PYTHONPATH\n"
    f'exec {sys.executable} "$@"\n'
  )
  python.chmod(0o755)
  monkeypatch.setattr(spark.sparkContext, "pythonExec", str(python))
  with pytest.raises(hie.ImageExportError) as told:
    module_udf(module)
  assert "in 2 of 2 tasks" in str(told.value)
  assert "it is not installed here" in str(told.value)
  assert "\n" not in str(told.value)
  assert attempts.read_text() == "xx"


def test_processors_get_equal_shares(spark, tmp_path):
  content = photos.encoded(photos.pixels(3, 300, 300)) + bytes(60_000)
  for i in range(1200):
    (tmp_path / f"{i}.png").write_bytes(content)
  frame = read(spark, Photos.of(spark, [str(tmp_path)]))
  counts = frame.rdd.glom().map(len).collect()
  assert len(counts) == 8 and max(counts) < 1.1 * 1200 / 8


def test_a_column_that_is_no_bytes(spark, module):
  frame = spark.createDataFrame([("a.png",)], "path string")
  with pytest.raises(Exception, match="expected the bytes of image files"):
    frame.select(module_udf(module)("path")).collect()


def test_what_is_wrong_is_told_before_any_task(spark, tmp_path, module):
  with pytest.raises(ValueError, match="TF1 Hub module"):
    module_udf(tmp_path)
  with pytest.raises(ValueError, match="expected one of"):
    module_udf(module, "image_features")
  with pytest.raises(ValueError, match="batch_size"):
    module_udf(module, batch_size=0)


def _run(arguments, **environment):
  return subprocess.run(
    [*_RUN, *map(str, arguments)],
    env={**os.environ, **environment},
    capture_output=True,
    text=True,
    timeout=500,
  )


def test_run_module_without_any_java_on_the_machine(module, folder, tmp_path):
  """Java comes from PyPI; the result is that of a run without Spark."""
  output = tmp_path / "out.parquet"
  tools = tmp_path / "bin"
  tools.mkdir()
  for folder_of_tools in ("/usr/bin", "/bin"):
    for name in set(os.listdir(folder_of_tools)) - {"java"}:
      if not (tools / name).exists():
        (tools / name).symlink_to(os.path.join(folder_of_tools, name))
  environment = {"PATH": str(tools), "JAVA_HOME": ""}
  flags = [f"--output={output}", "--master=local[2]", module, folder]
  done = _run(flags, **environment)
  assert done.returncode == 2, done.stderr[-3000:]
  assert "26 rows, 3 with errors" in done.stdout
  assert done.stderr == "3 of 26 images could not be used\n"
  table = pq.read_table(output)
  rows = {row["path"]: row for row in table.to_pylist()}
  expected = _expected(module, list(rows))
  assert len(rows) == table.num_rows == 26
  for path, row in rows.items():
    assert row["error"] == expected[path].error
    if row["values"] is not None:
      np.testing.assert_allclose(
        row["values"], expected[path].values, atol=1e-5
      )
      assert row["label"]
  text = table.schema.metadata[b"org.apache.spark.sql.parquet.row.metadata"]
  fields = {f["name"]: f["metadata"] for f in json.loads(text)["fields"]}
  assert fields["values"]["hub_image_export"]["resize"] == "bilinear"

  # Ctrl-C, which a terminal gives to all processes.
  process = subprocess.Popen(
    [*_RUN, "--overwrite", *map(str, flags)],
    env={**os.environ, **environment},
    stderr=subprocess.PIPE,
    text=True,
    start_new_session=True,
  )
  while not list(tmp_path.glob("out*-incomplete-*")):
    assert process.poll() is None
    time.sleep(0.02)
  os.killpg(process.pid, signal.SIGINT)
  err = process.communicate(timeout=100)[1]
  assert process.returncode == 1 and err.endswith("interrupted\n")
  assert pq.read_table(output).num_rows == 26

  again = _run(flags, **environment)
  assert again.returncode == 1 and "exists" in again.stderr
  assert os.listdir(tmp_path) and len(list(tmp_path.glob("out*"))) == 1
