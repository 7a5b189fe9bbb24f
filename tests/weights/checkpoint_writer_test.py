# SPDX-License-Identifier: Apache-2.0
"""The checkpoint that a module carries, written without a session."""

from __future__ import annotations

import dataclasses
import os
import time

import numpy as np
import pytest

from hub_image_export import errors
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.weights import checkpoint_writer as weights
from hub_image_export.weights.variable import Variable


def variable(name, value, dtype=None):
  return Variable(name, tf.Variable(value, dtype=dtype), trainable=True)


def test_checkpoints_hold_all_types_and_shapes(tmp_path):
  prefix = weights.variables_prefix(str(tmp_path))
  values = {
    "scope/matrix": np.arange(6, dtype=np.float32).reshape(2, 3),
    "half": np.array([1.5], np.float16),
    "count": np.array(3, np.int64),
    "flag": np.array([True, False]),
    "empty": np.zeros([0, 4], np.float32),
  }
  weights.write_checkpoint(prefix, [variable(*item) for item in values.items()])
  reader = tf.train.load_checkpoint(prefix)
  assert set(reader.get_variable_to_shape_map()) == set(values)
  for name, value in values.items():
    np.testing.assert_array_equal(reader.get_tensor(name), value)
    assert reader.get_tensor(name).dtype == value.dtype
  assert prefix == str(tmp_path / "variables" / "variables")


def test_equal_weights_give_equal_bytes(tmp_path):
  """Nothing of the time or the place is written."""
  contents = []
  for name in ("a", "b"):
    prefix = weights.variables_prefix(str(tmp_path / name))
    weights.write_checkpoint(prefix, [variable("w", [1.0, 2.0])])
    folder = os.path.dirname(prefix)
    files = sorted(os.listdir(folder))
    found = []
    for file in files:
      with open(os.path.join(folder, file), "rb") as opened:
        found.append((file, opened.read()))
    contents.append(found)
  assert contents[0] == contents[1]


@pytest.mark.parametrize("stored", [False, True])
def test_many_bytes_are_written_in_shards(stored, tmp_path, monkeypatch):
  """Of variables in their order, filled up: one that is too large is alone."""
  monkeypatch.setattr(weights, "_GROUP_BYTES", 100)
  sizes = [10, 15, 1, 90, 1, 1, 20]  # Floats.
  variables = [
    variable(f"v{i}", np.arange(i, i + size, dtype=np.float32))
    for i, size in enumerate(sizes)
  ]
  written = variables
  if stored:
    written = [dataclasses.replace(v, stored=v.source.numpy) for v in variables]
  contents = []
  for name in ("a", "b"):
    prefix = weights.variables_prefix(str(tmp_path / name))
    weights.write_checkpoint(prefix, written)
    found = sorted((tmp_path / name / "variables").iterdir())
    shards = [f.stat().st_size for f in found if ".data-" in f.name]
    assert shards == [4 * n for n in (25, 1, 90, 22)]
    assert len(found) == len(shards) + 1
    contents.append([f.read_bytes() for f in found])
  assert contents[0] == contents[1]
  reader = tf.train.load_checkpoint(prefix)
  assert len(reader.get_variable_to_shape_map()) == len(sizes)
  for v in variables:
    np.testing.assert_array_equal(reader.get_tensor(v.name), v.source.numpy())


def test_no_shards_are_begun_after_one_has_failed(tmp_path, monkeypatch):
  begun = []

  def fail(prefix, group, strings):
    begun.append(group)
    time.sleep(0.01)
    raise tf.errors.ResourceExhaustedError(None, None, "the disk is full")

  monkeypatch.setattr(weights, "_GROUP_BYTES", 4)
  monkeypatch.setattr(weights, "_write_group", fail)
  monkeypatch.setattr(os, "cpu_count", lambda: 1)
  variables = [variable(f"v{i}", [1.0]) for i in range(1000)]
  with pytest.raises(OSError, match="the disk is full"):
    weights.write_checkpoint(str(tmp_path / "variables"), variables)
  assert len(begun) < len(variables)


def test_no_variables_no_checkpoint(tmp_path):
  weights.write_checkpoint(weights.variables_prefix(str(tmp_path)), [])
  assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_is_an_os_error(tmp_path):
  (tmp_path / "file").touch()
  with pytest.raises(OSError):
    weights.write_checkpoint(
      str(tmp_path / "file" / "variables"), [variable("w", [1.0])]
    )


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [tf.float32, tf.float16])
def test_values_that_are_not_finite_are_named(bad, dtype):
  variables = [
    variable("good", [1.0], dtype),
    variable("bad/kernel", [1.0, bad], dtype),
    variable("integers", [1, 2]),
  ]
  weights.check_finite(variables[::2])
  with pytest.raises(errors.WeightsError, match="1 variables.*bad/kernel"):
    weights.check_finite(variables)


@pytest.mark.parametrize("dtype", [tf.float32, tf.float16])
def test_finite_values_may_have_a_sum_that_is_not(dtype):
  weights.check_finite([variable("large", [dtype.max] * 3, dtype)])


def test_many_broken_ones_are_counted():
  variables = [variable(f"v{i}", np.nan) for i in range(8)]
  with pytest.raises(errors.WeightsError, match="8 variables.*v4, …"):
    weights.check_finite(variables)


def test_parameter_count():
  variables = [variable("a", np.zeros([2, 3])), variable("b", 1.0)]
  assert weights.parameter_count(variables) == 7


def test_too_little_memory_is_told(monkeypatch):
  def fail(value):
    raise MemoryError

  big = variable("big", [1.0, 2.0])
  monkeypatch.setattr(np, "sum", fail)
  with pytest.raises(errors.WeightsError, match=r"not enough memory.*\(2,\)"):
    weights.check_finite([big])
