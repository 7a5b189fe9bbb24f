# SPDX-License-Identifier: Apache-2.0
"""Names in a checkpoint: prefix, map, regular expressions, averages."""

from __future__ import annotations

import numpy as np
import pytest

from hub_image_export.errors import WeightsError
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.weights.names import NameRules
from hub_image_export.weights.readers import NamedValues

NAMES = ["a/kernel", "a/bias", "b/kernel"]


def stored(names):
  specs = {name: tf.TensorSpec([]) for name in names}
  return NamedValues("x.npz", ".npz file", specs, lambda name: np.zeros([]))


def names(in_checkpoint=(), **rules):
  found = NameRules(**rules).names(NAMES, stored(in_checkpoint))
  return [found[name] for name in NAMES]


@pytest.mark.parametrize(
  ("rules", "expected"),
  [
    ({}, NAMES),
    ({"prefix": "net"}, ["net/a/kernel", "net/a/bias", "net/b/kernel"]),
    ({"prefix": "x/y/"}, ["x/y/a/kernel", "x/y/a/bias", "x/y/b/kernel"]),
    ({"name_transform_fn": str.upper}, ["A/KERNEL", "A/BIAS", "B/KERNEL"]),
    ({"mapping": {"a/bias": "c"}}, ["a/kernel", "c", "b/kernel"]),
    (
      {"mapping": {r"(.)/kernel": r"\1/weights"}},
      ["a/weights", "a/bias", "b/weights"],
    ),
    (
      {"mapping": {r"(.)/kernel": r"\1/w", "b/kernel": "c"}, "prefix": "n"},
      ["n/a/w", "n/a/bias", "n/c"],
    ),
  ],
)
def test_rules(rules, expected):
  assert names(**rules) == expected


def test_averages_of_those_that_have_one():
  present = [*NAMES, "a/kernel/ExponentialMovingAverage"]
  assert names(present, ema=True) == [
    "a/kernel/ExponentialMovingAverage", "a/bias", "b/kernel",
  ]  # fmt: skip


def test_averages_that_nobody_has():
  with pytest.raises(WeightsError, match="no moving average"):
    names(NAMES, ema=True)


def test_all_unclear_rules_in_one_error():
  mapping = {"c/kernel": "x", r"a/.*": "y", r".*/kernel": r"z\g<0>"}
  with pytest.raises(WeightsError) as raised:
    names(mapping=mapping)
  message = str(raised.value)
  assert "'c/kernel' in the map is no variable" in message
  assert "all hold for 'a/kernel'" in message
  assert "'y' would be the value of ['a/kernel', 'a/bias']" in message


def test_a_function_and_a_prefix():
  with pytest.raises(ValueError, match="expected one of them"):
    NameRules(name_transform_fn=str.upper, prefix="a")


def test_a_bad_expression():
  with pytest.raises(ValueError, match="regular expression"):
    NameRules(mapping={"a(": "b"})
