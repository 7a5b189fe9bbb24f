# SPDX-License-Identifier: Apache-2.0
"""Names of classes are read, checked, attached, and read back (C8)."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

import hub_image_export as hie
from hub_image_export.export import labels
from hub_image_export.tensorflow_api.compat import hub, tf
from hub_image_export.tensorflow_api.runtime import quiet

NAMES = ("cat", "dog", "Größe 猫")


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_file_has_one_class_a_line(end, tmp_path):
  path = tmp_path / "labels.txt"
  path.write_text("\n".join(NAMES) + end, "utf-8")
  assert labels.resolve(path) == NAMES
  assert labels.resolve(str(path)) == NAMES


def test_windows_line_ends_are_no_part_of_the_names(tmp_path):
  path = tmp_path / "labels.txt"
  path.write_bytes("\r\n".join(NAMES).encode() + b"\r\n")
  assert labels.resolve(path) == NAMES


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path):
  path = tmp_path / "labels.txt"
  path.write_text("\n".join(NAMES), "utf-8-sig")
  assert labels.resolve(path) == NAMES


def test_blanks_around_names_and_last_lines_do_not_count(tmp_path):
  path = tmp_path / "labels.txt"
  path.write_text(" \n".join(NAMES) + "\t\n\n \n", "utf-8")
  assert labels.resolve(path) == NAMES


_INDEX = dict(enumerate(NAMES))
_CODES = {str(i): [f"n0{i}", name] for i, name in _INDEX.items()}


@pytest.mark.parametrize(
  "given",
  [
    list(NAMES),
    np.array(NAMES),
    np.array(NAMES, object),
    np.char.encode(np.array(NAMES), "utf-8"),
    [name.encode() for name in NAMES],
    tf.constant(NAMES),
    _INDEX,
    {np.int64(i): name for i, name in reversed(_INDEX.items())},
    {str(i): name for i, name in _INDEX.items()},
    {name: i for i, name in _INDEX.items()},
    _CODES,
  ],
)
def test_all_forms_that_people_have(given):
  assert labels.resolve(given) == NAMES


@pytest.mark.parametrize(
  "content",
  [list(NAMES), _INDEX, {v: k for k, v in _INDEX.items()}, _CODES,
   {"model_type": "vit", "id2label": _INDEX, "label2id": {}}],
)  # fmt: skip
def test_json_files(content, tmp_path):
  path = tmp_path / "labels.json"
  path.write_text(json.dumps(content), "utf-8")
  assert labels.resolve(path) == NAMES


@pytest.mark.parametrize("text", ["{", "[1, 2", '"cat"', "3", "[[[" * 5000])
def test_what_is_no_json(text, tmp_path):
  (tmp_path / "labels.json").write_text(text)
  with pytest.raises(ValueError, match="expected .*a list"):
    labels.resolve(tmp_path / "labels.json")


def test_indices_of_more_than_nine(tmp_path):
  """JSON's keys are strings: "10" comes before "9" there."""
  many = {str(i): f"class {i}" for i in range(12)}
  assert labels.resolve(dict(sorted(many.items())))[9:] == (
    "class 9", "class 10", "class 11"
  )  # fmt: skip


def test_several_classes_of_one_name(caplog):
  """As in the usual lists of ImageNet's classes."""
  names = ["crane", "dog", "crane", "cat", "dog"]
  spec = hie.make_classification_module(
    lambda x: tf.reduce_mean(x, [1, 2])[:, :1] * tf.range(-2.0, 3.0) * 9,
    12,
    10,
    labels=names,
  )
  assert hie.load_labels(spec) == names
  (record,) = caplog.records
  for words in (
    "(2 in all)",
    "'crane' (classes 0 and 2)",
    "'dog' (classes 1 and",
  ):
    assert words in record.getMessage()


def test_none():
  assert labels.resolve(None) is None


def test_other_encodings_are_told(tmp_path):
  path = tmp_path / "labels.txt"
  path.write_bytes("Größe".encode("latin-1"))
  with pytest.raises(ValueError, match="not UTF-8"):
    labels.resolve(path)


def test_blank_lines_are_told(tmp_path):
  path = tmp_path / "labels.txt"
  path.write_text("cat\n\ndog\n")
  with pytest.raises(ValueError, match="label 1 is blank"):
    labels.resolve(path)


def test_labels_travel_with_the_module(tmp_path):
  def fn(images):
    return tf.reduce_mean(images, [1, 2])

  spec = hie.make_classification_module(fn, 12, 10, labels=NAMES)
  spec.export(tmp_path / "module")
  loaded = hub.load_module_spec(str(tmp_path / "module"))
  with tf.Graph().as_default(), quiet():
    module = hub.Module(loaded)
  for source in (spec, loaded, module, tmp_path / "module"):
    assert hie.load_labels(source) == list(NAMES)


def test_a_module_without_labels():
  def fn(images):
    return tf.reduce_mean(images, [1, 2])

  spec = hie.make_classification_module(fn, 12, 10)
  assert hie.load_labels(spec) is None


@pytest.mark.parametrize("label", ["a\x1b[2J", "a\x00", "a\x07b"])
def test_control_characters_are_refused(label):
  """Whoever prints a label would give them to the terminal."""
  with pytest.raises(ValueError, match="no control characters"):
    labels.resolve([label, "b"])


def test_letters_of_all_scripts_are_labels():
  names = ["猫", "می\u200cخواهم", "Grüße", "🐈"]
  assert labels.resolve(names) == tuple(names)


def test_endless_label_is_refused():
  with pytest.raises(ValueError, match="has 5000 characters"):
    labels.resolve(["a" * 5000])


def test_what_is_no_label_file_is_not_read(tmp_path):
  """Neither a pipe, which would wait, nor what fills the memory."""
  pipe, huge = tmp_path / "pipe", tmp_path / "huge"
  os.mkfifo(pipe)
  with pytest.raises(ValueError, match="is no file"):
    labels.resolve(pipe)
  with open(huge, "wb") as file:
    file.truncate(2**40)
  with pytest.raises(ValueError, match="has 1099511627776 bytes"):
    labels.resolve(huge)
