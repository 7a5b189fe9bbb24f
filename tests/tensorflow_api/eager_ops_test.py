# SPDX-License-Identifier: Apache-2.0
"""Ops that one thread runs eagerly can be seen and changed, and no others."""

from __future__ import annotations

import threading

import pytest

from hub_image_export.tensorflow_api import eager_ops
from hub_image_export.tensorflow_api.compat import tf


def _twice(name, arguments, run):
  """Runs each op; sums are doubled."""
  result = run(arguments)
  return result * 2.0 if name in ("AddV2", "Add") else result


def _sum():
  return float(tf.constant(1.0) + tf.constant(2.0))


def test_ops_of_this_thread_go_through_the_handler():
  with eager_ops.handled_by(_twice):
    assert _sum() == 6.0
  assert _sum() == 3.0


def test_calls_of_functions_go_through_the_handler():
  seen = []

  def handler(name, arguments, run):
    seen.append(name)
    return run(arguments)

  function = tf.function(lambda x: x * 2.0)
  function(tf.constant(1.0))
  with eager_ops.handled_by(handler):
    function(tf.constant(1.0))
  assert any("inference" in name for name in seen)


def test_none_runs_ops_as_they_are():
  with eager_ops.handled_by(_twice), eager_ops.handled_by(None):
    assert _sum() == 3.0


def test_other_threads_run_as_ever():
  found = []
  with eager_ops.handled_by(_twice):
    thread = threading.Thread(target=lambda: found.append(_sum()))
    thread.start()
    thread.join()
    assert _sum() == 6.0
  assert found == [3.0]


def test_errors_end_it():
  with pytest.raises(KeyError), eager_ops.handled_by(_twice):
    raise KeyError
  assert _sum() == 3.0


@pytest.mark.parametrize(
  "read", [tf.convert_to_tensor, lambda variable: tf.gather(variable, [0])]
)
def test_tapes_know_the_variable_that_was_meant(read):
  """Another one may be read in its place."""
  meant, other = tf.Variable([1.0]), tf.Variable([5.0])

  def handler(name, arguments, run):
    return run([other.handle if a is meant.handle else a for a in arguments])

  with eager_ops.handled_by(handler), tf.GradientTape() as tape:
    value = read(meant)
    total = 3.0 * value
  assert value.numpy() == [5.0]
  gradient = tf.convert_to_tensor(tape.gradient(total, meant))
  assert gradient.numpy() == [3.0]


def test_what_is_behind_handles():
  variable = eager_ops.plain_variable([1.0, 2.0])
  data = eager_ops.handle_data(variable.handle)
  assert data.dtype == tf.float32.as_datatype_enum
  assert eager_ops.has_values(variable.handle)
  table = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1)
  assert not eager_ops.has_values(table.resource_handle)


def test_seeds_of_ops_stay_as_they_were():
  """Those of other ops: each op also counts its own draws."""
  tf.random.set_seed(3)
  expected = float(tf.random.uniform([]))
  tf.random.set_seed(3)
  with eager_ops.op_seeds_kept():
    tf.random.normal([])
  assert float(tf.random.uniform([])) == expected
