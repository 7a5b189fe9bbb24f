"""Modules that are not what their manifest or golden example says (F6)."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib

import numpy as np

from hub_image_export.tensorflow_api.compat import hub, tf
from tests.checker import edit, tiny
from tests.checker.corpus import breaks, good

_FORMULA = (
  "images[0, y, x, c] = ((37*x*x + 71*y*y + 23*x*y + 101*c) % 256) / 255"
)


def _answer(path, size):
  """What a consumer gets for the golden image, painted pixel by pixel."""
  image = np.zeros([1, size, size, 3], np.float32)
  for y, x, c in np.ndindex(size, size, 3):
    image[0, y, x, c] = (
      (37 * x * x + 71 * y * y + 23 * x * y + 101 * c) % 256
    ) / 255
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    outputs = hub.Module(path)(image)
    session.run(tf.compat.v1.global_variables_initializer())
    return session.run(outputs).tolist()


def _golden(answer, size=8):
  source = {"formula": _FORMULA, "name": "images", "shape": [1, size, size, 3]}
  return {
    "format": 1,
    "input": source,
    "outputs": {"image_feature_vector": answer},
  }


def _manifest(path):
  files = {}
  for folder, _, names in os.walk(path):
    for name in names:
      file = pathlib.Path(folder, name)
      digest = hashlib.sha256(file.read_bytes()).hexdigest()
      files[file.relative_to(path).as_posix()] = digest
  widths = {
    "image_classification": tiny.CLASSES,
    "image_feature_vector": tiny.FILTERS,
  }
  return {
    "files": files,
    "format": 1,
    "image_size": [8, 8],
    "labels_sha256": None,
    "variable_size": False,
    "widths": widths,
  }


def _write(path, name, content):
  folder = pathlib.Path(path, "assets.extra")
  folder.mkdir(exist_ok=True)
  (folder / name).write_text(json.dumps(content), "utf-8")


@good()
def with_manifest_and_golden_example(path):
  edit.drop_debug_names(tiny.build(path))
  _write(path, "golden.json", _golden(_answer(path, 8)))
  _write(path, "manifest.json", _manifest(path))


@good()
def with_another_tools_manifest(path):
  edit.drop_debug_names(tiny.build(path))
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
  os.remove(f"{path}/assets.extra/golden.json")


@breaks("manifest-differs")
def another_width(path):
  tiny.build(path)
  manifest = _manifest(path)
  manifest["widths"]["image_feature_vector"] += 1
  _write(path, "manifest.json", manifest)


@breaks("manifest-differs")
def labels_were_lost(path):
  tiny.build(path)
  _write(path, "manifest.json", {**_manifest(path), "labels_sha256": "0" * 64})


@breaks("golden-differs")
def another_answer(path):
  tiny.build(path)
  answer = _answer(path, 8)
  answer[0][0] += 0.01 * max(map(abs, answer[0]))
  _write(path, "golden.json", _golden(answer))


@breaks("golden-differs")
def an_answer_for_a_task_that_is_not_there(path):
  tiny.build(path)
  content = _golden(_answer(path, 8))
  content["outputs"]["image_classification"] = [[1.0]]
  _write(path, "golden.json", content)
