# SPDX-License-Identifier: Apache-2.0
"""Runs the examples as a reader would, and uses the modules that they make."""

from __future__ import annotations

import ast
import json
import pathlib
import re
import socket
import subprocess
import sys

import pytest

from examples import digits_network, use_module
from tests.support import tf115

pytestmark = pytest.mark.slow
_ROOT = pathlib.Path(__file__).resolve().parents[2]


CLASSIFICATION, FEATURES = "image_classification", "image_feature_vector"
EXPORTERS = {
  "examples.digits": {CLASSIFICATION, FEATURES},
  "examples.from_keras_model": {FEATURES},
  "examples.from_tf1_function": {CLASSIFICATION, FEATURES},
  "examples.from_tf_module": {CLASSIFICATION, FEATURES},
  "examples.from_saved_model": {CLASSIFICATION},
  "examples.from_closure": {FEATURES},
}
# Those that are consumers alone, and run on TF 1.15.
CONSUMERS = ("digits_data", "fine_tune", "use_module")


def run(program, *arguments, python=sys.executable):
  """What a fresh process of `program` prints; it has to succeed.

  A process of its own, since every example defines `--export_path`.
  """
  process = subprocess.run(
    [python, "-m", program, *map(str, arguments)],
    cwd=_ROOT,
    capture_output=True,
    text=True,
    timeout=300,
  )
  assert process.returncode == 0, process.stderr[-4000:]
  return process.stdout


def numbers(pattern, text):
  """All numbers that stand for the group of `pattern` in `text`."""
  return [float(number) for number in re.findall(pattern, text)]


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
  """The module that examples.digits makes, and what the program printed."""
  path = tmp_path_factory.mktemp("digits") / "module"
  return path, run("examples.digits", f"--export_path={path}")


@pytest.fixture(scope="module")
def tuned(tmp_path_factory, digits):
  path = tmp_path_factory.mktemp("tuned") / "module"
  arguments = (f"--module={digits[0]}", f"--export_path={path}")
  return path, run("examples.fine_tune", *arguments)


@pytest.mark.parametrize(
  "program", sorted(set(EXPORTERS) - {"examples.digits"})
)
def test_example_makes_a_module_that_tells_digits_apart(program, tmp_path):
  path = tmp_path / "module"
  run(program, f"--export_path={path}")
  accuracies = use_module.accuracies(str(path))
  assert set(accuracies) == EXPORTERS[program]
  assert min(accuracies.values()) > 0.9


def test_digits_module_is_as_accurate_as_its_source(digits):
  path, output = digits
  (source,) = numbers(r"Keras model: ([\d.]+)%", output)
  accuracies = use_module.accuracies(str(path))
  assert set(accuracies) == EXPORTERS["examples.digits"]
  assert source > 97
  assert round(100 * accuracies[CLASSIFICATION], 1) == source
  assert accuracies[FEATURES] > 0.97


def test_digits_can_be_trained_again(tmp_path):
  path = tmp_path / "module"
  output = run("examples.digits", "--train", f"--export_path={path}")
  assert numbers(r"Keras model: ([\d.]+)%", output)[0] > 97


def test_shipped_weights_are_small():
  assert digits_network.WEIGHTS.stat().st_size < 300_000


def test_use_module_prints_the_accuracies(digits):
  output = run("examples.use_module", digits[0])
  assert "is (2, 10)" in output
  assert len(numbers(r"accuracy by \w+: ([\d.]+)%", output)) == 2


def test_use_module_asks_for_a_path():
  assert "path of a module" in use_module.main(["use_module"])


def _assert_learned(output):
  before, after = numbers(r"Accuracy \w+: ([\d.]+)%", output)
  first, last = numbers(r"([\d.]+) at (?:first|last)", output)
  assert before < 50 < 90 < after
  assert last < first / 2


def test_fine_tuning_learns(tuned):
  _assert_learned(tuned[1])


def test_fine_tuned_module_can_be_fine_tuned(tuned, tmp_path):
  output = run(
    "examples.fine_tune",
    f"--module={tuned[0]}",
    f"--export_path={tmp_path / 'again'}",
    "--steps=20",
  )
  (after,) = numbers(r"Accuracy after: ([\d.]+)%", tuned[1])
  assert numbers(r"Accuracy before: ([\d.]+)%", output) == [after]


@tf115.needs_tf115
def test_tf115_finds_the_same_accuracies(digits, tuned):
  paths = (digits[0], tuned[0])
  here = run("examples.use_module", *paths)
  there = run("examples.use_module", *paths, python=tf115.PYTHON)
  by_logits = r"by image_classification: ([\d.]+)%"
  assert numbers(by_logits, there) == numbers(by_logits, here)
  # A linear classifier is trained on the features, by either scikit-learn.
  by_features = r"by image_feature_vector: ([\d.]+)%"
  pairs = zip(numbers(by_features, there), numbers(by_features, here))
  assert all(abs(a - b) < 3 for a, b in pairs)


@tf115.needs_tf115
def test_tf115_fine_tunes(digits, tmp_path):
  path = tmp_path / "tuned"
  output = run(
    "examples.fine_tune",
    f"--module={digits[0]}",
    f"--export_path={path}",
    python=tf115.PYTHON,
  )
  _assert_learned(output)
  (after,) = numbers(r"Accuracy after: ([\d.]+)%", output)
  again = run(
    "examples.fine_tune",
    f"--module={path}",
    f"--export_path={tmp_path / 'again'}",
    "--steps=1",
  )
  assert numbers(r"Accuracy before: ([\d.]+)%", again) == [after]


@pytest.mark.newest
def test_digits_as_photos_find_their_like(digits, tmp_path):
  pytest.importorskip("pyspark")
  folder = tmp_path / "digits_photos"
  run("examples.digits_photos", folder)
  paths = sorted(folder.glob("*.png"))
  script = "hub_image_export.command_line.run_module"
  told = json.loads(run(script, "--format=json", "--top=1", digits[0], folder))
  right = [
    pathlib.Path(image["path"]).name[0] == image["top"][0]["label"]
    for image in told["images"]
  ]
  assert len(right) == 100 and sum(right) >= 97
  looked_for = paths[50]
  others = [path for path in paths if path != looked_for]
  output = run("examples.nearest_photos", digits[0], looked_for, *others)
  found = re.findall(r"/(\d)_\d+\.png", output)
  assert len(found) == 5 and found.count(looked_for.name[0]) >= 3


@pytest.mark.newest
def test_a_cluster_of_spark_runs_and_ends(digits, tmp_path):
  pytest.importorskip("pyspark")
  import pyarrow.parquet as pq

  folder, output = tmp_path / "digits_photos", tmp_path / "out.parquet"
  run("examples.digits_photos", folder)
  told = run("examples.spark_cluster", digits[0], folder, output)
  assert "with two workers" in told and "100 rows, 0 with errors" in told
  rows = pq.read_table(output).to_pylist()
  right = [pathlib.Path(r["path"]).name[0] == r["label"] for r in rows]
  assert len(right) == 100 and sum(right) >= 97
  port = int(re.search(r"spark://127.0.0.1:(\d+)", told).group(1))
  with socket.socket() as probe:
    assert probe.connect_ex(("127.0.0.1", port))


@pytest.mark.parametrize("name", CONSUMERS)
def test_consumers_are_written_for_python_37(name):
  text = (_ROOT / "examples" / f"{name}.py").read_text("utf-8")
  ast.parse(text, feature_version=(3, 7))


def test_every_example_is_run_here():
  programs = {
    f"examples.{file.stem}"
    for file in (_ROOT / "examples").glob("*.py")
    if "app.run(main)" in file.read_text("utf-8")
  }
  assert programs == {
    *EXPORTERS,
    "examples.fine_tune",
    "examples.fine_tune_tf2",
  }


def test_saved_model_learns_by_keras(digits, tmp_path):
  """TF1 to TF2 in one command, then Keras, of whichever version."""
  path = tmp_path / "saved_model"
  run(
    "hub_image_export.export_module", f"--model={digits[0]}",
    "--task=classification", "--format=saved_model", f"--export_path={path}",
  )  # fmt: skip
  said = run("examples.fine_tune_tf2", f"--module={path}")
  before, after = numbers(r"Accuracy \w+: ([\d.]+)%", said)
  assert before < 60 and after > 90
