# SPDX-License-Identifier: Apache-2.0
"""Names of classes are read, checked, attached, and read back (C8)."""

from __future__ import annotations

import os

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


def test_lists_and_none():
  assert labels.resolve(list(NAMES)) == NAMES
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
