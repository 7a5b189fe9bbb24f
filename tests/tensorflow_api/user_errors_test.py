# SPDX-License-Identifier: Apache-2.0
"""What a user's code raises is told with its place, and chained."""

from __future__ import annotations

import numpy as np
import pytest

import hub_image_export as hie
from hub_image_export.sources import user_code
from hub_image_export.tensorflow_api.compat import tf
from tests.bad_input.functions import ok

_CODE = """
import textwrap
import numpy as np
import tensorflow as tf

def helper(x):
  return x.missing  # HELPER

def plain(images):
  return helper(images)

def with_control_flow(images):
  if tf.reduce_sum(images) > 0:
    images = helper(images)
  return images

function = tf.function(plain)
converted = tf.function(with_control_flow)

class Layer(tf.keras.layers.Layer):
  def call(self, x):
    return helper(x)

class Model(tf.keras.Model):
  def __init__(self):
    super().__init__()
    self.layer = Layer()
  def call(self, x, training=False):
    return self.layer(x) if training else tf.reduce_mean(x, [1, 2])

class NeverCalled(Model):
  def call(self, x):
    return self.layer(x)

model = Model()
never_called = NeverCalled()
anonymous = lambda images: helper(images)

def of_an_op(images):
  return tf.matmul(
    images, tf.zeros([7, 7]))  # OP

def of_numpy(images):
  return np.zeros(3).reshape(7)  # NUMPY

def of_a_library(images):
  return textwrap.shorten(3, 4)  # LIBRARY

def without_words(images):
  raise RuntimeError  # WORDS

def of_two_lines(images):
  raise ValueError("one\\ntwo")  # LINES

def preprocess(images):
  return images + None  # PREPROCESS

def rename(name):
  raise KeyError(name)  # RENAME
"""


@pytest.fixture
def load(tmp_path, monkeypatch):
  """A function from a name in the file `nets.py` to what it is."""
  monkeypatch.syspath_prepend(tmp_path)
  (tmp_path / "nets.py").write_text(_CODE)
  return lambda name: user_code.load(f"{tmp_path}/nets.py:{name}")


def _line(mark):
  lines = _CODE.splitlines()
  return next(i for i, line in enumerate(lines, 1) if mark in line)


def _at(mark):
  return rf"nets\.py:{_line(mark)}, in "


def _check(action, cause, *words):
  with pytest.raises(hie.SourceError) as raised:
    action()
  assert isinstance(raised.value.__cause__, cause)
  message = str(raised.value)
  for word in (cause.__name__, *words):
    assert word in message
  assert len(message) < 600
  assert "\n" not in message


@pytest.mark.parametrize(
  ("name", "cause", "words", "mark"),
  [
    ("plain", AttributeError, "'missing'", "HELPER"),
    ("with_control_flow", AttributeError, "'missing'", "HELPER"),
    ("function", AttributeError, "'missing'", "HELPER"),
    ("converted", AttributeError, "'missing'", "HELPER"),
    ("model", AttributeError, "'missing'", "HELPER"),
    ("never_called", AttributeError, "'missing'", "HELPER"),
    ("anonymous", AttributeError, "'missing'", "HELPER"),
    ("of_an_op", ValueError, "Dimensions must be equal", "tf.matmul("),
    ("of_numpy", ValueError, "cannot reshape", "NUMPY"),
    ("of_a_library", AttributeError, "'int'", "LIBRARY"),
    ("without_words", RuntimeError, "RuntimeError (", "WORDS"),
    ("of_two_lines", ValueError, "one two (", "LINES"),
  ],
)
def test_the_last_place_in_the_users_files(load, name, cause, words, mark):
  place = "helper" if mark == "HELPER" else name
  _check(
    lambda: hie.make_feature_vector_module(load(name), 12, 10),
    cause,
    words,
    f"nets.py:{_line(mark)}, in {place})",
  )


def test_preprocess(load):
  with pytest.raises(hie.SourceError, match=_at("PREPROCESS")):
    hie.make_feature_vector_module(ok, 12, 10, preprocess=load("preprocess"))


def test_names_of_a_checkpoint(load, tmp_path):
  np.savez(tmp_path / "w.npz", a=np.ones(2))
  spec = hie.make_feature_vector_module(_with_a_variable, 12, 10)
  _check(
    lambda: spec.with_weights(tmp_path / "w.npz", load("rename")),
    KeyError,
    f"nets.py:{_line('RENAME')}, in rename)",
  )


def _with_a_variable(images):
  return ok(images) * tf.compat.v1.get_variable("scale", [3])


@pytest.mark.parametrize(
  ("text", "cause", "place"),
  [
    ("\nx = 1 / 0", ZeroDivisionError, "broken.py:2, in <module>)"),
    ("def f(:", SyntaxError, "broken.py:1, in <module>)"),
    ("import json\njson.loads('{')", ValueError, "broken.py:2, in <module>)"),
  ],
)
def test_imports(text, cause, place, tmp_path, monkeypatch):
  monkeypatch.syspath_prepend(tmp_path)
  (tmp_path / "broken.py").write_text(text)
  with pytest.raises(hie.SourceError) as raised:
    user_code.load(f"{tmp_path}/broken.py:f")
  assert isinstance(raised.value.__cause__, cause)
  assert place in str(raised.value)


def test_code_that_is_in_no_file():
  names: dict = {}
  exec(compile("def f(x):\n  return x.missing\n", "<cell 3>", "exec"), names)
  _check(
    lambda: hie.make_feature_vector_module(names["f"], 12, 10),
    AttributeError,
    "(<cell 3>:2, in f)",
  )
