# SPDX-License-Identifier: Apache-2.0
"""`run_module` on whatever stands in folders, whoever made the module."""

from __future__ import annotations

import csv
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
from hub_image_export.command_line import (
  photo_flags,
  run as command_line,
  run_module,
)
from hub_image_export.tensorflow_api.compat import tf
from tests.publishing import modules
from tests.support import photos


@pytest.fixture
def run(capsys):
  def call(*arguments):
    argv = ["run_module", *map(str, arguments)]
    code = command_line.run(run_module.main, photo_flags.FLAGS, "", argv)
    return code, capsys.readouterr().out

  return call


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  path = tmp_path_factory.mktemp("odd") / "photos"
  return path, photos.odd(path)


def _parquet(path):
  rows = pq.read_table(path).to_pylist()
  return {row["path"]: row["error"] is None for row in rows}


def _csv(path):
  with open(path, newline="", encoding="utf-8") as file:
    return {row["path"]: not row["error"] for row in csv.DictReader(file)}


def _npz(path):
  with np.load(path) as arrays:
    return dict(zip(arrays["paths"], arrays["errors"] == ""))


@pytest.mark.parametrize(
  ("suffix", "read"), [(".parquet", _parquet), (".csv", _csv), (".npz", _npz)]
)
def test_each_name_is_a_row(suffix, read, run, folder, module, tmp_path):
  path, expected = folder
  output = tmp_path / f"out{suffix}"
  code, _ = run(f"--output={output}", module, path)
  found = {os.path.relpath(p, path): ok for p, ok in read(output).items()}
  assert found == expected and code == run_module.EXIT_BROKEN_IMAGES


def test_each_name_is_told(run, folder, module):
  path, expected = folder
  _, out = run("--format=json", module, path)
  found = {
    os.path.relpath(image["path"], path): "error" not in image
    for image in json.loads(out)["images"]
  }
  assert found == expected
  out.encode()
  _, out = run("--top=1", module, path)
  assert out.count(": error: ") == 3
  assert len(out.encode().splitlines()) == 2 * len(expected) - 3


class _Log(tf.Module):
  """Gives NaN for dark photos, and infinity for black ones."""

  @tf.function(input_signature=[tf.TensorSpec([None, 12, 10, 3])])
  def __call__(self, images):
    bright = tf.reduce_mean(images, [1, 2])
    return {"default": tf.math.log(tf.where(bright < 0.2, -bright, bright))}


@pytest.fixture(scope="module")
def log_module(tmp_path_factory):
  path = str(tmp_path_factory.mktemp("log"))
  net = _Log()
  names = ("serving_default", "image_classification", "image_feature_vector")
  tf.saved_model.save(net, path, dict.fromkeys(names, net.__call__))
  return path


@pytest.mark.parametrize(
  "signature", ["image_classification", "image_feature_vector"]
)
def test_what_json_has_no_number_for_is_null(
  signature, run, log_module, tmp_path
):
  for level in (0, 20, 200):
    content = photos.encoded(np.full((12, 10, 3), level, np.uint8))
    (tmp_path / f"{level:03}.png").write_bytes(content)
  code, out = run(
    "--format=json", f"--signature={signature}", log_module, tmp_path
  )

  def refuse(name):
    raise AssertionError(name)

  images = json.loads(out, parse_constant=refuse)["images"]
  values = [
    i.get("values") or [top["score"] for top in i["top"]] for i in images
  ]
  assert code == 0 and values[:2] == [[None] * 3] * 2
  np.testing.assert_allclose(values[2], np.log([200 / 255] * 3), rtol=1e-5)


def test_of_nan_no_class_is_the_best(run, log_module, tmp_path):
  dark = np.full((12, 10, 3), 20, np.uint8)
  (tmp_path / "dark.png").write_bytes(photos.encoded(dark))
  output = tmp_path / "out.parquet"
  flags = [f"--output={output}", "--signature=image_classification"]
  assert run(*flags, log_module, tmp_path / "dark.png")[0] == 0
  (row,) = pq.read_table(output).to_pylist()
  assert row["label"] is row["score"] is row["error"] is None
  assert np.isnan(row["values"]).all()


@pytest.mark.parametrize("form", ["directory", "archive", "saved_model"])
@pytest.mark.parametrize(
  "signature", ["image_feature_vector", "image_classification"]
)
def test_any_form_of_a_module(
  form, signature, run, module, archive, tmp_path, request
):
  (tmp_path / "photo.jpg").write_bytes(photos.encoded(photos.pixels(), "JPEG"))
  path = {"directory": module, "archive": archive}.get(form)
  if path is None:
    path = tmp_path / "saved_model"
    modules.spec(labels=modules.LABELS).export_saved_model(path)
  flags = [f"--signature={signature}", "--format=json", "--top=3"]
  code, out = run(*flags, path, tmp_path / "photo.jpg")
  (image,) = json.loads(out)["images"]
  found = image.get("values")
  if found is None:
    assert {top["label"] for top in image["top"]} == set(modules.LABELS)
    found = [t["score"] for t in sorted(image["top"], key=lambda t: t["index"])]
  with hie.open_module(module) as opened:
    (wanted,) = opened(tmp_path / "photo.jpg", signature=signature)
  assert code == 0
  np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.newest
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_nothing(number, module, tmp_path):
  folder, results = tmp_path / "photos", tmp_path / "results"
  folder.mkdir()
  results.mkdir()
  content = photos.encoded(photos.pixels(3, 300, 300))
  for i in range(12_000):  # More than it does before the signal comes.
    (folder / f"{i}.png").write_bytes(content)
  process = subprocess.Popen(
    [
      *(sys.executable, "-m", "hub_image_export.command_line.run_module"),
      f"--output={results / 'out.csv'}",
      *(str(module), str(folder)),
    ],
    stderr=subprocess.PIPE,
    text=True,
    start_new_session=True,
  )
  try:
    end = time.monotonic() + 200
    # The first thousand is there.
    while not sum(p.stat().st_size for p in results.iterdir()):
      assert time.monotonic() < end and process.poll() is None
      time.sleep(0.02)
    os.killpg(process.pid, number)
    _, err = process.communicate(timeout=60)
  finally:
    process.kill()
  assert process.returncode == 1, err
  assert "Traceback" not in err and not list(results.iterdir())
