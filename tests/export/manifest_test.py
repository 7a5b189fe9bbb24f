# SPDX-License-Identifier: Apache-2.0
"""The manifest and the golden example: true, tiny, and checked."""

from __future__ import annotations

import hashlib
import json
import shutil

import numpy as np
import pytest

import hub_image_export as hie
from hub_image_export.checker.running import golden_rules
from hub_image_export.export import golden
from hub_image_export.serving.statements import Statements, read_manifest
from hub_image_export.tensorflow_api.compat import tf
from tests.publishing import modules
from tests.support.consumer import Consumer


def _read(module, name):
  return json.loads((module / "assets.extra" / name).read_text("utf-8"))


@pytest.fixture
def copy(module, tmp_path):
  return shutil.copytree(module, tmp_path / "copy")


def test_the_manifest_tells_what_the_module_is(module):
  manifest = _read(module, "manifest.json")
  assert manifest["image_size"] == [12, 10]
  assert manifest["widths"] == {
    "image_classification": 3,
    "image_feature_vector": 4,
  }
  assert manifest["source"] == "function 'network'"
  assert manifest["preprocessing"] == "none: RGB in [0, 1] as it comes"
  assert manifest["versions"]["tensorflow"] == tf.__version__
  assert manifest["versions"]["hub_image_export"] == hie.__version__


def test_the_manifest_has_the_hash_of_every_other_file(module):
  hashes = _read(module, "manifest.json")["files"]
  files = {
    path.relative_to(module).as_posix(): path
    for path in module.rglob("*")
    if path.is_file()
  }
  del files["assets.extra/manifest.json"]
  assert set(hashes) == set(files)
  for name, path in files.items():
    assert hashes[name] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_keys_are_sorted(module):
  for name in ("manifest.json", "golden.json"):
    keys = list(_read(module, name))
    assert keys == sorted(keys)


def test_labels_stand_beside_it(module):
  data = (module / "assets.extra/labels.txt").read_bytes()
  assert data.decode() == "".join(f"{label}\n" for label in modules.LABELS)
  digest = hashlib.sha256(data).hexdigest()
  assert _read(module, "manifest.json")["labels_sha256"] == digest


def test_the_options_of_the_builder_are_told(tmp_path):
  path = tmp_path / "module"
  hie.make_classification_module(
    lambda x: tf.nn.softmax(modules.network(x)["image_classification"]),
    12,
    10,
    preprocess="tf",
  ).export(path, verify=False)
  manifest = _read(path, "manifest.json")
  assert manifest["activations"] == {"image_classification": "softmax"}
  assert manifest["labels_sha256"] is None
  assert "[-1, 1]" in manifest["preprocessing"]
  assert not (path / "assets.extra/labels.txt").exists()
  assert not (path / "assets.extra/golden.json").exists(), "Not verified."


def test_the_golden_example_is_what_a_consumer_gets(module):
  example = _read(module, "golden.json")
  consumer = Consumer(str(module))
  found = consumer.run(consumer.outputs, golden.images(12, 10))
  assert set(example["outputs"]) == set(
    _read(module, "manifest.json")["widths"]
  )
  for task, answer in example["outputs"].items():
    np.testing.assert_allclose(found[task]["default"], answer, 1e-5, 1e-7)


def test_the_golden_image_is_that_of_its_formula(module):
  formula = _read(module, "golden.json")["input"]["formula"]
  _, _, expression = formula.partition(" = ")
  image = golden.images(7, 5)
  assert image.shape == (1, 7, 5, 3)
  for y, x, c in np.ndindex(7, 5, 3):
    assert image[0, y, x, c] == np.float32(
      eval(expression, {"x": x, "y": y, "c": c})
    )


def test_the_checker_paints_the_same_image():
  """It shares no code with what wrote the example."""
  other = golden_rules.golden_image(31, 45)
  np.testing.assert_array_equal(golden.images(31, 45), other)
  assert golden.images(31, 45).std() > 0.2


def test_check_module_verifies_both(module, copy):
  assert not hie.check_module(module).errors
  file = copy / "assets.extra/golden.json"
  content = _read(copy, "golden.json")
  content["outputs"]["image_classification"][0][0] += 1.0
  file.write_text(json.dumps(content))
  rules = {finding.rule for finding in hie.check_module(copy).errors}
  assert rules == {"manifest-differs", "golden-differs"}


@pytest.mark.slow
@pytest.mark.parametrize(
  "content",
  [b"{", b"\xff", b"[" * 5000, b'{"format": 2}'],
)
def test_a_manifest_of_another_kind_is_let_be(content, copy):
  for name in ("manifest.json", "golden.json"):
    (copy / "assets.extra" / name).write_bytes(content)
  assert not hie.check_module(copy).errors
  assert read_manifest(str(copy)) == Statements()


@pytest.mark.slow
@pytest.mark.parametrize(
  "golden_example",
  [
    {"format": 1},
    {"format": 1, "outputs": {"image_classification": [[1.0], [2.0, 3.0]]}},
  ],
)
def test_an_example_that_is_not_understood_is_told(golden_example, copy):
  (copy / "assets.extra/manifest.json").unlink()
  example = _read(copy, "golden.json")
  path = copy / "assets.extra/golden.json"
  path.write_text(json.dumps({"input": example["input"], **golden_example}))
  report = hie.check_module(copy)
  assert not report.errors
  assert [f.rule for f in report.warnings] == ["unchecked"]


def test_labels_survive_an_export_of_the_loaded_module(module, tmp_path):
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    loaded = hie.hub.Module(str(module))
    session.run(tf.compat.v1.global_variables_initializer())
    loaded.export(str(tmp_path / "again"), session)
  assert hie.load_labels(tmp_path / "again") == modules.LABELS
  assert not hie.check_module(tmp_path / "again", static=True).errors
