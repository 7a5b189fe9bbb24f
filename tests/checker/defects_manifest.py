# SPDX-License-Identifier: Apache-2.0
"""Modules that are not what their manifest or golden example says (F6)."""

from __future__ import annotations

import hashlib
import json
import pathlib

import numpy as np

from hub_image_export.tensorflow_api.compat import hub, tf
from tests.checker import edit, tiny
from tests.checker.corpus import breaks, good

_FORMULA = (
  "images[0, y, x, c] = ((37*x*x + 71*y*y + 23*x*y + 101*c) % 256) / 255"
)


def _answer(path):
  """What a consumer gets for the golden image, painted pixel by pixel."""
  image = np.zeros([1, 8, 8, 3], np.float32)
  for y, x, c in np.ndindex(8, 8, 3):
    value = (37 * x * x + 71 * y * y + 23 * x * y + 101 * c) % 256
    image[0, y, x, c] = value / 255
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    outputs = hub.Module(path)(image)
    session.run(tf.compat.v1.global_variables_initializer())
    return session.run(outputs).tolist()


def _write_golden(path, answer, **more):
  source = {"formula": _FORMULA, "name": "images", "shape": [1, 8, 8, 3]}
  outputs = {"image_feature_vector": answer, **more}
  content = {"format": 1, "input": source, "outputs": outputs}
  _write(path, "golden.json", content)


def _write_manifest(path, feature_width=tiny.FILTERS, labels=None):
  files = {
    file.relative_to(path).as_posix(): hashlib.sha256(
      file.read_bytes()
    ).hexdigest()
    for file in pathlib.Path(path).rglob("*")
    if file.is_file()
  }
  widths = {
    "image_classification": tiny.CLASSES,
    "image_feature_vector": feature_width,
  }
  content = dict(files=files, format=1, image_size=[8, 8], widths=widths)
  content.update(labels_sha256=labels, variable_size=False)
  _write(path, "manifest.json", content)


def _write(path, name, content):
  folder = pathlib.Path(path, "assets.extra")
  folder.mkdir(exist_ok=True)
  (folder / name).write_text(json.dumps(content), "utf-8")


@good()
def with_manifest_and_golden_example(path):
  edit.drop_debug_names(tiny.build(path))
  _write_golden(path, _answer(path))
  _write_manifest(path)


@good()
def with_another_tools_manifest(path):
  tiny.build(path)
  _write(path, "manifest.json", {"name": "something else"})
  _write(path, "golden.json", ["no", "example"])


@breaks("manifest-differs")
def changed_file(path):
  with_manifest_and_golden_example(path)
  with open(f"{path}/assets.extra/golden.json", "a") as file:
    file.write("\n")


@breaks("manifest-differs")
def added_file(path):
  with_manifest_and_golden_example(path)
  pathlib.Path(path, "assets.extra/labels.txt").write_text("cat\n")


@breaks("manifest-differs")
def missing_file(path):
  with_manifest_and_golden_example(path)
  pathlib.Path(path, "assets.extra/golden.json").unlink()


@breaks("manifest-differs")
def another_width(path):
  _write_manifest(tiny.build(path), feature_width=tiny.FILTERS + 1)


@breaks("manifest-differs")
def labels_were_lost(path):
  _write_manifest(tiny.build(path), labels="0" * 64)


@breaks("golden-differs")
def another_answer(path):
  answer = _answer(tiny.build(path))
  answer[0][0] += 0.01 * max(map(abs, answer[0]))
  _write_golden(path, answer)


@breaks("golden-differs")
def an_answer_for_a_task_that_is_not_there(path):
  answer = _answer(tiny.build(path))
  _write_golden(path, answer, image_classification=[[1.0]])
