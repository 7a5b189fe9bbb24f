# SPDX-License-Identifier: Apache-2.0
"""What is said of TensorFlow 1.15 and reusable SavedModels is so."""

from __future__ import annotations

import pathlib
import re

import pytest

from hub_image_export.checker.judging import check
from hub_image_export.checker.report import Findings
from hub_image_export.tensorflow_api.compat import tf
from tests.checker import edit, tiny_objects
from tests.checker.defects_objects import features
from tests.support import fresh_process, tf115


def _loop(net, x, training):
  """No gradient of TensorFlow 1.15 goes through it within a function."""
  _, x = tf.while_loop(
    lambda i, _: i < 3,
    lambda i, y: (i + 1, 1.1 * y),
    [tf.constant(0), net.features(x, training)],
  )
  return tf.ensure_shape(x, [None, tiny_objects.FILTERS])


def _loop_of_pixels(net, x, training):
  """No gradient is asked for of it, and TensorFlow 1.15 builds one."""
  _, x = tf.while_loop(
    lambda i, _: i < 3, lambda i, y: (i + 1, 0.9 * y), [tf.constant(0), x]
  )
  return net.features(tf.ensure_shape(x, [None, 8, 8, 3]), training)


def _in_a_function(function):
  def call(net, x, training):
    inner = tf.function(lambda x: function(net, x, training), autograph=False)
    return inner(x)

  return call


def _recent_op(net, x, training):
  noise = tf.random.stateless_uniform([tiny_objects.FILTERS], [1, 2])
  return net.features(x, training) + noise


CASES = {
  "as_saved": ({}, "op DisableCopyOnRead"),
  "plain": ({}, ""),
  "nested": (features(_in_a_function(lambda net, *a: net.features(*a))), ""),
  "loop_of_pixels": (features(_loop_of_pixels), r"gradient of \w*While"),
  "loop": (features(_loop), r"gradient of \w*While"),
  "loop_in_a_function": (
    features(_in_a_function(_loop)), r"gradient of \w*While",
  ),
  "recent_op": (features(_recent_op), "op StatelessRandom"),
}  # fmt: skip


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
  directory = tmp_path_factory.mktemp("objects")
  for name, (options, _) in CASES.items():
    path = tiny_objects.build(str(directory / name), **options)
    if name != "as_saved":
      _drop_recent_ops(path)
  return directory


def _drop_recent_ops(path):
  """What the functions that save variables have since TensorFlow 2.13."""
  with edit.existing(path) as proto:
    for function in proto.meta_graphs[0].graph_def.library.function:
      nodes = function.node_def
      recent = {n.name for n in nodes if n.op == "DisableCopyOnRead"}
      for node in list(nodes):
        if node.name in recent:
          nodes.remove(node)
        else:
          kept = [i for i in node.input if i.lstrip("^") not in recent]
          node.input[:] = kept
      left = [k for k, name in function.control_ret.items() if name in recent]
      for key in left:
        del function.control_ret[key]
        function.signature.control_output.remove(key)


@pytest.fixture(scope="module")
def there(saved):
  return fresh_process.run_program(
    tf115.PYTHON, pathlib.Path(__file__).parent / "train_once.py", saved
  )


@pytest.mark.parametrize("name", CASES)
def test_told(name, saved):
  findings = Findings()
  check(str(saved / name), True, findings, lambda stage: None)
  (found,) = [f for f in findings.all if f.rule == "oldest-tensorflow"]
  assert found.severity == "info"
  blamed = CASES[name][1]
  assert re.search(blamed or "knows all of its graph", found.message)


@tf115.needs_tf115
@pytest.mark.parametrize("name", CASES)
def test_so(name, there):
  error = there / f"{name}.error"
  text = error.read_text() if error.exists() else ""
  assert bool(text) == bool(CASES[name][1]), text
