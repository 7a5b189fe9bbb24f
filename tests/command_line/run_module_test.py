# SPDX-License-Identifier: Apache-2.0
"""`run_module` on a folder of photos: each is a row, in every form."""

from __future__ import annotations

import csv
import json

import numpy as np
import pyarrow.parquet as pq
import pytest

import hub_image_export as hie
from hub_image_export.command_line import (
  photo_flags,
  run as command_line,
  run_module,
)
from tests.publishing import modules
from tests.support import photos


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  path = tmp_path_factory.mktemp("photos")
  photos.folder(path)
  return path


@pytest.fixture
def run(capsys):
  """Runs the script with arguments; returns its exit code and what it says."""

  def call(*arguments):
    argv = ["run_module", *map(str, arguments)]
    code = command_line.run(run_module.main, photo_flags.FLAGS, "", argv)
    output = capsys.readouterr()
    return code, output.out, output.err

  return call


@pytest.fixture(scope="module")
def expected(module, folder):
  """Logits by file name; None for broken photos."""
  files = {p.name: p for p in folder.rglob("*") if p.is_file()}
  with hie.open_module(module) as opened:
    rows = dict(zip(files, opened.rows(list(files.values()))))
  return {name: row.values for name, row in rows.items()}


def _check(expected, found):
  """`found` are logits, or None, by path."""
  assert {path.rpartition("/")[2] for path in found} == set(expected)
  assert len(found) == len(expected)
  for path, values in found.items():
    wanted = expected[path.rpartition("/")[2]]
    assert (values is None) == (wanted is None)
    if values is not None:
      np.testing.assert_allclose(values, wanted, atol=1e-5)


def test_one_photo(run, module, folder, expected):
  code, out, err = run(module, folder / "photo0.png")
  lines = out.splitlines()
  assert (code, err) == (0, "")
  assert lines[0].endswith("photo0.png") and len(lines) == 4
  best = modules.LABELS[expected["photo0.png"].argmax()]
  assert lines[1].split(maxsplit=1)[1] == best


def test_broken_photos_are_rows_and_counted_at_the_end(run, module, folder):
  code, out, err = run("--top=1", module, folder)
  assert code == run_module.EXIT_BROKEN_IMAGES
  assert err == "3 of 12 images could not be used\n"
  told = [line for line in out.splitlines() if ": error: " in line]
  assert sorted(line.split(": ")[0].rpartition("/")[2] for line in told) == (
    sorted(photos.BAD)
  )


def test_json(run, module, folder, expected):
  code, out, _ = run("--format=json", "--top=3", module, folder)
  told = json.loads(out)
  assert code == 2 and told["resize"] == "bilinear"
  for image in told["images"]:
    logits = expected[image["path"].rpartition("/")[2]]
    assert ("error" in image) == (logits is None)
    if logits is not None:
      order = [item["index"] for item in image["top"]]
      assert order == list(np.argsort(-logits))
      assert [modules.LABELS[i] for i in order] == [
        item["label"] for item in image["top"]
      ]
  assert len(told["images"]) == len(expected)


def test_features_in_json_and_text(run, module, folder):
  flags = ["--signature=image_feature_vector", module, folder / "photo0.png"]
  code, out, _ = run("--format=json", *flags)
  (image,) = json.loads(out)["images"]
  with hie.open_module(module) as opened:
    wanted = opened(image["path"], signature="image_feature_vector")[0]
  assert code == 0
  np.testing.assert_allclose(image["values"], wanted, atol=1e-6)
  _, out, _ = run(*flags)
  assert f": 4 numbers from {wanted.min():.4g} to {wanted.max():.4g}" in out


def test_parquet(run, module, folder, tmp_path, expected):
  path = tmp_path / "out.parquet"
  code, out, _ = run(f"--output={path}", "--batch_size=3", module, folder)
  table = pq.read_table(path)
  assert code == 2 and "12 rows, 3 with errors" in out
  assert table.column_names == ["path", "values", "error", "label", "score"]
  described = json.loads(table.schema.metadata[b"hub_image_export"])
  assert described["resize"] == "bilinear"
  assert described["image_size"] == [12, 10]
  rows = table.to_pylist()
  _check(expected, {row["path"]: row["values"] for row in rows})
  for row in rows:
    if row["values"] is not None:
      assert row["label"] == modules.LABELS[np.argmax(row["values"])]
    assert (row["values"] is None) == (row["error"] is not None)


def test_npz(run, module, folder, tmp_path, expected):
  path = tmp_path / "out.npz"
  run(f"--output={path}", "--resize=antialias", module, folder)
  with np.load(path) as found:
    assert json.loads(str(found["metadata"]))["resize"] == "antialias"
    good = found["errors"] == ""
    assert np.isnan(found["values"][~good]).all()
    assert np.isfinite(found["values"][good]).all()
    assert found["values"].shape == (len(expected), 3)


def test_csv(run, module, folder, tmp_path, expected):
  path = tmp_path / "out.csv"
  run(f"--output={path}", module, folder)
  with open(path, newline="") as file:
    rows = list(csv.DictReader(file))
  assert {row["resize"] for row in rows} == {"bilinear"}
  _check(
    expected,
    {
      row["path"]: None if row["error"] else [float(row[c]) for c in "012"]
      for row in rows
    },
  )


def test_patterns_and_repeated_names(run, module, folder, expected):
  arguments = [folder / "*.png", folder / "photo0.png", folder / "inner"]
  _, out, _ = run("--format=json", module, *arguments)
  found = [image["path"] for image in json.loads(out)["images"]]
  assert len(found) == len(set(found)) == 8


def test_an_output_that_exists_stays(run, module, folder, tmp_path):
  path = tmp_path / "out.csv"
  path.write_text("old")
  flags = [f"--output={path}", module, folder / "photo0.png"]
  code, _, err = run(*flags)
  assert code == 1 and "exists" in err and path.read_text() == "old"
  assert run("--overwrite", *flags)[0] == 0
  assert path.read_text() != "old"


def test_scores_are_those_that_the_manifest_says(tmp_path):
  from hub_image_export.serving.answers import Answers

  logits = np.array([1.0, -2.0, 800.0])
  for activation, wanted in {
    "softmax": [0.0, 0.0, 1.0],
    "sigmoid": [0.73105858, 0.11920292, 1.0],
    None: logits,
  }.items():
    found = Answers(True, None, activation).top(logits, 3)
    by_index = sorted((s.index, s.score) for s in found)
    np.testing.assert_allclose([s for _, s in by_index], wanted, atol=1e-8)


def test_classes_of_one_name_are_told_apart(run, module, folder, tmp_path):
  labels = tmp_path / "labels.txt"
  labels.write_text("crane\nferry\ncrane\n")
  photo = (module, folder / "photo0.png")
  _, out, _ = run(f"--labels={labels}", *photo)
  names = [line.split(maxsplit=1)[1] for line in out.splitlines()[1:]]
  assert sorted(names) == ['class 0 "crane"', 'class 2 "crane"', "ferry"]
  _, out, _ = run("--format=json", f"--labels={labels}", *photo)
  (told,) = json.loads(out)["images"]
  found = sorted((top["index"], top["label"]) for top in told["top"])
  assert found == [(0, "crane"), (1, "ferry"), (2, "crane")]


@pytest.mark.parametrize(
  ("arguments", "words"),
  [
    ([], "Got no module and no image"),
    (["{module}"], "Got no module and no image"),
    (["/no/such", "{photo}"], "TF1 Hub module"),
    (["{module}", "/no/such.png"], "a file or folder that is there"),
    (["{module}", "{empty}"], "there are no files"),
    (["--labels={photo}", "{module}", "{photo}"], "UTF-8"),
    (["--labels={labels}", "{module}", "{photo}"], "2 labels"),
    (
      [
        "--labels={labels}",
        "--signature=image_feature_vector",
        "{module}",
        "{photo}",
      ],
      "none of a classifier",
    ),
    (["--overwrite", "{module}", "{photo}"], "without --output"),
    (["--master=local[1]", "{module}", "{photo}"], "without --output"),
    (["--spark_conf=a=b", "{module}", "{photo}"], "without --master"),
  ],
)
def test_what_cannot_be_run(arguments, words, run, module, folder, tmp_path):
  (tmp_path / "empty").mkdir()
  (tmp_path / "labels.txt").write_text("a\nb\n")
  places = {
    "module": module,
    "photo": folder / "photo0.png",
    "empty": tmp_path / "empty",
    "labels": tmp_path / "labels.txt",
  }
  code, out, err = run(*(text.format(**places) for text in arguments))
  assert (code, out) == (1, "")
  assert words in err and len(err.splitlines()) == 1
