# SPDX-License-Identifier: Apache-2.0
"""`export_module`: from its flags to the module and the exit code."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time

import pytest

import hub_image_export as hie
from hub_image_export.command_line import (
  export_flags,
  export_module,
  run as command_line,
)
from hub_image_export.tensorflow_api.compat import tf
from tests.conformance.warnings_of import warnings_of
from tests.support import fresh_process
from tests.support.consumer import random_images

_NETWORKS = """
import tensorflow as tf

def features(images, is_training=False):
  kernel = tf.compat.v1.get_variable("conv/kernel", [3, 3, 3, 4])
  hidden = tf.nn.conv2d(images, kernel, 2, "SAME")
  return tf.reduce_mean(hidden, [1, 2]), {"conv": hidden}
"""


@pytest.fixture
def network(tmp_path):
  path = tmp_path / "networks.py"
  path.write_text(_NETWORKS, "utf-8")
  return f"{path}:features"


@pytest.fixture
def classifier(tmp_path):
  layers = tf.keras.layers
  model = tf.keras.Sequential(
    [
      tf.keras.Input((12, 10, 3)),
      layers.Conv2D(4, 3, name="conv"),
      layers.BatchNormalization(),
      layers.GlobalAveragePooling2D(name="pool"),
      layers.Dense(3, activation="softmax"),
    ],
    name="tiny",
  )
  path = tmp_path / "classifier.keras"
  model.save(path)
  return str(path)


@pytest.fixture
def run(tmp_path, capsys):
  """A function from flags to `(exit code, stdout, stderr)`."""

  def run_script(*arguments, path="module"):
    target = [f"--export_path={tmp_path / path}"] if path else []
    code = command_line.run(
      export_module.main,
      export_flags.FLAGS,
      export_module.__doc__,
      ["export_module", *target, *arguments],
    )
    captured = capsys.readouterr()
    return code, captured.out, captured.err

  return run_script


def test_a_function_in_a_file(run, network, tmp_path):
  code, out, _ = run(
    f"--model={network}",
    "--height=8",
    "--width=6",
    "--arch_name=Net",
    "--preprocess=0.5/0.1,0.2,0.3",
    "--nocheck",
  )
  assert code == 0
  spec = hie.hub.load_module_spec(str(tmp_path / "module"))
  assert hie.hub.get_expected_image_size(spec) == [8, 6]
  assert set(spec.get_output_info_dict()) == {"default", "Net/conv"}
  for words in ("8x6", "image_feature_vector: float32(?, 4)", "Net/conv"):
    assert words in out
  for words in ("Verified:   yes", "largest difference", "hub.Module("):
    assert words in out


def test_all_tasks_of_a_saved_classifier(run, classifier, tmp_path):
  labels = tmp_path / "labels.txt"
  labels.write_text("a\nb\nc\n", "utf-8")
  code, out, _ = run(
    f"--model={classifier}",
    "--task=all",
    "--feature_layer=pool",
    "--endpoints=conv",
    f"--labels={labels}",
    "--bn_hparams",
    "--nocheck",
  )
  assert code == 0
  path = str(tmp_path / "module")
  spec = hie.hub.load_module_spec(path)
  assert set(spec.get_signature_names()) == {
    "default",
    "image_classification",
    "image_classification_with_bn_hparams",
    "image_feature_vector",
    "image_feature_vector_with_bn_hparams",
  }
  assert "tiny/conv" in spec.get_output_info_dict()
  assert hie.load_labels(path) == ["a", "b", "c"]
  assert "train" in out


def test_the_contract_is_checked_unless_told_otherwise(run, classifier):
  code, out, _ = run(f"--model={classifier}", "--task=classification")
  assert code == 0
  assert "conforms to the contract" in out


def test_a_module_that_exists_stays(run, classifier, tmp_path):
  arguments = [f"--model={classifier}", "--nocheck"]
  assert run(*arguments)[0] == 0
  before = (tmp_path / "module" / "saved_model.pb").read_bytes()
  code, _, err = run(*arguments, "--task=classification")
  assert code == 1
  assert "--overwrite" in err
  assert (tmp_path / "module" / "saved_model.pb").read_bytes() == before
  assert run(*arguments, "--task=classification", "--overwrite")[0] == 0
  assert (tmp_path / "module" / "saved_model.pb").read_bytes() != before


def test_the_summary_as_json(run, network, tmp_path):
  """Stdout is for a program, whatever the user's code prints."""
  with open(network.split(":")[0], "a", encoding="utf-8") as file:
    file.write("\nprint('a word of mine')\n")
  code, out, err = run(
    f"--model={network}", "--height=8", "--width=6", "--format=hub,json"
  )
  assert code == 0
  summary = json.loads(out)
  assert "a word of mine" in err
  assert (
    summary["path"] == summary["report"]["path"] == str(tmp_path / "module")
  )
  assert summary["image_size"] == [8, 6]
  assert summary["signatures"]["default"]["default"] == "float32(?, 4)"
  assert summary["verified"] and not summary["archive"]
  names = {field.name for field in dataclasses.fields(hie.Summary)}
  assert set(summary) == names


def test_both_formats_and_from_one_to_the_other(run, network, tmp_path):
  size = ("--height=8", "--width=6")
  code, out, err = run(
    f"--model={network}", *size, "--format=saved_model,json", "--format=hub"
  )
  assert code == 0, err
  summaries = json.loads(out)
  paths = [tmp_path / "module" / name for name in ("hub", "saved_model")]
  assert [s["format"] for s in summaries] == ["hub", "saved_model"]
  assert [s["path"] for s in summaries] == list(map(str, paths))
  assert (paths[0] / "tfhub_module.pb").exists()
  assert (paths[1] / "fingerprint.pb").exists()
  for source, wanted in zip(paths, ("saved_model", "hub")):
    code, out, err = run(
      f"--model={source}",
      f"--export_path={tmp_path / wanted}",
      f"--format={wanted}",
    )
    assert code == 0, err
  assert (tmp_path / "hub" / "tfhub_module.pb").exists()
  assert (tmp_path / "saved_model" / "fingerprint.pb").exists()


def test_an_archive_is_of_one_format(run, network, tmp_path):
  code, _, err = run(
    f"--model={network}", "--format=hub,saved_model",
    f"--archive={tmp_path / 'a.tar.gz'}",
  )  # fmt: skip
  assert code == 1 and "one format at a time" in err


def test_a_look_before_the_export(run, classifier, tmp_path):
  """Nothing is written, and nothing is where the module would be."""
  flags = [f"--model={classifier}", "--task=all", "--feature_layer=pool"]
  before = sorted(tmp_path.iterdir())
  code, out, _ = run(*flags, "--dry_run", path="")
  assert code == 0
  for words in (
    "Keras model 'tiny'",
    "size 12x10",
    "inference (TF >= 1.15), train (TF >= 1.15)",
    "image_classification: float32(?, 3)",
    "Taken off:  softmax",
    "Layers, for --feature_layer and --endpoints:",
    "  conv: (?, 10, 8, 4)",
    "  pool: (?, 4)",
  ):
    assert words in out
  assert sorted(tmp_path.iterdir()) == before
  code, out, _ = run(*flags, "--dry_run", "--format=json")
  assert json.loads(out)["layers"]["conv"] == "(?, 10, 8, 4)"
  assert sorted(tmp_path.iterdir()) == before


def _saved(classifier, path):
  """A SavedModel whose signature has two outputs, one of which is no task."""
  saved = tf.Module()
  saved.model = model = tf.keras.models.load_model(classifier)
  saved.two = tf.function(
    lambda x: {"classes": tf.argmax(model(x), 1), "scores": model(x)},
    input_signature=[tf.TensorSpec([None, 12, 10, 3])],
  )
  tf.saved_model.save(saved, path, signatures={"serving_default": saved.two})


def _hub(classifier, path):
  spec = hie.make_feature_vector_module(lambda x: x[:, 0, 0], 12, 10)
  spec.export(path, verify=False)


def _map(classifier, path):
  """A Keras model that ends in a feature map."""
  layers = tf.keras.layers
  tf.keras.Sequential(
    [tf.keras.Input((12, 10, 3)), layers.Conv2D(4, 3, name="conv")]
  ).save(path)


@pytest.fixture
def source_of(classifier, network, tmp_path):
  """A function from a kind of source to a value of --model."""
  makers = {"saved": _saved, "hub": _hub, "map.keras": _map}

  def make(kind):
    if kind not in makers:
      return {"keras": classifier, "function": network}[kind]
    path = str(tmp_path / kind)
    makers[kind](classifier, path)
    return path

  return make


@pytest.mark.parametrize(
  ("source", "flags", "words"),
  [
    ("function", ["--height=8", "--width=6"], ["function 'features'", "8x6"]),
    ("saved", ["--output=scores"], ["SavedModel", "12x10", "float32(?, 3)"]),
    ("hub", [], ["TF1 Hub module", "12x10"]),
  ],
)
def test_a_look_at_other_sources(source, flags, words, run, source_of):
  code, out, err = run(
    f"--model={source_of(source)}", *flags, "--dry_run", path=""
  )
  assert code == 0, err
  for word in words:
    assert word in out


@pytest.mark.parametrize("more", [[], ["--dry_run"]])
@pytest.mark.parametrize("source", ["keras", "saved"])
def test_what_a_newcomer_types_first(source, more, run, source_of, caplog):
  """A classifier, and no --task: its probabilities are no features."""
  flags = [f"--model={source_of(source)}", "--nocheck", *more]
  flags += ["--output=scores"] if source == "saved" else []
  told = warnings_of(caplog, lambda: run(*flags))
  (message,) = [m for m in told if "probabilities" in m]
  assert "--task=classification" in message
  assert ("--feature_layer=pool" in message) == (source == "keras")


@pytest.mark.parametrize(
  ("source", "flags", "words"),
  [
    ("keras", ["--task=all"], ["dict", "a Keras classifier and --feature_lay"]),
    ("map.keras", [], ["(None, 10, 8, 4)", "Pool it", "--feature_layer"]),
    ("saved", ["--task=classification"], ["'scores' (", "--output=scores"]),
    ("keras", ["--output=scores"], ["--output is 'scores'"]),
  ],
)
def test_messages_speak_of_flags(source, flags, words, run, source_of):
  code, _, err = run(f"--model={source_of(source)}", *flags)
  assert code == 1
  for word in words:
    assert word in err
  for word in (" fn ", "make_image_module", "feature_layer=", "output='"):
    assert word not in err.replace("--feature_layer=", "")


def test_one_of_two_outputs(run, source_of, tmp_path):
  """By flag, at the size that the signature has."""
  code, _, err = run(
    f"--model={source_of('saved')}", "--output=scores", "--task=classification",
    "--nocheck",
  )  # fmt: skip
  assert code == 0, err
  path = str(tmp_path / "module")
  jobs = {"module": {"path": path, "size": (12, 10)}}
  found = fresh_process.run("outputs", jobs, str(tmp_path))["module"]
  model = tf.keras.models.load_model(source_of("keras"))
  expected = model(random_images(2, 12, 10))
  scores = tf.nn.softmax(found["default|default"])
  tf.debugging.assert_near(scores, expected, 1e-4)


@pytest.mark.parametrize(
  ("flag", "told"),
  [("--feature_layer=pol", "pool"), ("--labels={}/none.txt", "none.txt")],
)
def test_a_look_tells_of_mistakes(flag, told, run, classifier, tmp_path):
  code, out, err = run(
    f"--model={classifier}", "--task=all", "--feature_layer=pool",
    flag.format(tmp_path), "--dry_run", path="",
  )  # fmt: skip
  assert (code, out) == (1, "")
  assert told in err


def test_all_seconds_and_all_files_are_in_the_summary(
  run, network, tmp_path, monkeypatch
):
  monkeypatch.setattr(export_module, "_STARTED", time.perf_counter())
  start = time.perf_counter()
  code, out, _ = run(
    f"--model={network}", "--height=8", "--width=6", "--nocheck",
    "--format=json", f"--page={tmp_path}/1.md", "--handle=my-lab/pets/1",
    "--asset_path=https://example.com/1.tar.gz", "--arch_name=Net",
  )  # fmt: skip
  seconds = time.perf_counter() - start
  assert code == 0
  summary = json.loads(out)
  assert summary["page"] == f"{tmp_path}/1.md"
  assert {"start", "load", "trace", "write", "publish"} <= set(
    summary["seconds"]
  )
  assert seconds - 0.5 < sum(summary["seconds"].values()) < seconds + 0.1


def test_help_is_quick_and_lists_the_flags():
  """Quick: TensorFlow alone takes seconds to import."""
  script = "from hub_image_export.export_module import cli; cli()"
  start = time.perf_counter()
  done = subprocess.run(
    [sys.executable, "-X", "importtime", "-c", script, "--help"],
    capture_output=True,
    text=True,
    env={**os.environ, "PYTHONPATH": os.getcwd()},
  )
  seconds = time.perf_counter() - start
  assert done.returncode == 0
  for name in export_flags.FLAGS:
    assert export_flags.FLAGS[name].name in done.stdout
  imported = {
    line.rpartition("|")[2].strip() for line in done.stderr.splitlines()
  }
  assert not imported & {"tensorflow", "numpy", "keras"}
  assert seconds < 5
