# SPDX-License-Identifier: Apache-2.0
"""What an export tells."""

from __future__ import annotations

import html
import json
import os

import pytest

import hub_image_export as hie
from hub_image_export.tensorflow_api.compat import tf
from tests.conformance.warnings_of import warnings_of
from tests.support import models


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
  path = tmp_path_factory.mktemp("summary") / "module"
  model = models.by_name("two_tasks")
  return path, model.build(model.make().fn).export(path)


def test_fields(exported):
  path, summary = exported
  assert isinstance(summary, hie.Summary)
  assert summary.path == str(path)
  assert summary.verified
  assert summary.image_size == (12, 10)
  assert list(summary.variants) == ["inference", "train"]
  # 3·3·3·5 of the kernel, twice 5 of the statistics, 5·4 of the head.
  assert summary.num_parameters == 135 + 10 + 20
  assert summary.num_bytes == sum(
    os.path.getsize(os.path.join(folder, name))
    for folder, _, names in os.walk(path)
    for name in names
  )
  assert {"write", "verify"} <= set(summary.seconds)
  assert max(d.relative for d in summary.differences) < 1e-4


def test_signatures_with_their_shapes(exported):
  signatures = exported[1].signatures
  assert set(signatures) == {
    "default",
    "image_classification",
    "image_feature_vector",
  }
  assert signatures["image_classification"]["default"] == "float32(?, 4)"
  assert signatures["image_feature_vector"]["default"] == "float32(?, 5)"
  assert signatures["default"]["Tiny/relu"] == "float32(?, 5)"


def test_text(exported):
  path, summary = exported
  text = str(summary)
  for words in (
    str(path),
    "12x10",
    "[0, 1]",
    "inference",
    "train",
    "image_feature_vector",
    "Tiny/relu",
    "largest difference",
    "165 parameters",
  ):
    assert words in text
  assert max(len(line) for line in text.splitlines()) < 200


def test_without_verification(tmp_path):
  model = models.by_name("no_variables")
  spec = model.build(model.make().fn)
  summary = spec.export(tmp_path / "module", verify=False)
  assert not summary.verified
  assert summary.differences == []
  assert summary.num_parameters == 0
  assert "Verified:   no" in str(summary)


def test_what_fine_tuning_takes_without_a_training_variant(tmp_path, caplog):
  """TensorFlow 1.15 runs loops, but has no gradient for them."""
  weight = tf.Variable([0.5, 0.5, 0.7])

  def fn(images):
    return tf.while_loop(
      lambda x: tf.reduce_sum(x) > 3.0,
      lambda x: x * weight,
      [tf.reduce_mean(images, [1, 2])],
    )[0]

  build = models.by_name("sequential").build
  specs = []
  message, rounds = warnings_of(caplog, lambda: specs.append(build(fn)))
  assert "one use of such a module in a graph, not two" in rounds
  here = ".".join(tf.__version__.split(".")[:2])
  assert f"Fine-tuning the inference variant needs TensorFlow {here}" in message
  summary = specs[0].export(tmp_path / "module")
  assert summary.variants == {"inference": "1.15"}
  assert f"(TF >= 1.15); fine-tuning TF >= {here}" in str(summary)


def test_fine_tuning_is_not_told_of_where_it_takes_no_more(exported):
  assert "fine-tuning" not in str(exported[1])


def test_notebooks_show_the_text(exported):
  path, summary = exported
  report = hie.check_module(str(path), static=True)
  spec = models.by_name("two_outputs")
  spec = spec.build(spec.make().fn)
  for value, text in (
    (summary, str(summary)),
    (report, str(report)),
    (spec, str(spec.describe())),
  ):
    shown = value._repr_html_()
    assert html.escape(text) in shown
    assert "<pre>" in shown


def test_a_description_of_what_is_not_there_yet():
  model = models.by_name("feature_layer")
  described = model.build(model.make().fn).describe()
  assert described.layers["map"].startswith("(?, ")
  assert described.default_task == "image_classification"
  assert json.loads(json.dumps(described.to_json()))["variants"] == {
    "inference": "1.15",
    "train": "1.15",
  }
