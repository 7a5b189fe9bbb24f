# SPDX-License-Identifier: Apache-2.0
"""Regular expressions of strangers end."""

from __future__ import annotations

import time

import pytest

import hub_image_export as hie
from hub_image_export.untrusted import patterns
from hub_image_export.weights.names import NameRules
from hub_image_export.weights.readers import NamedValues

_NAMES = ["a/kernel", "b/kernel", "b/bias", "a" * 60]


def test_matches_are_expanded():
  assert patterns.expand(
    {r"(\w)/kernel": r"x/\1/w", "b/bias": "b", "c": r"\0", "none.*": "n"},
    _NAMES,
  ) == {
    r"(\w)/kernel": {"a/kernel": "x/a/w", "b/kernel": "x/b/w"},
    "b/bias": {"b/bias": "b"},
    "c": {},
    "none.*": {},
  }


@pytest.mark.parametrize(
  "rules",
  [{"(": "a"}, {"a": r"\1"}, {"a": r"\g<x>"}, {"[": "a"}, {"(?P<1>a)": "b"}],
)
def test_nonsense_is_told(rules):
  with pytest.raises(ValueError, match="checkpoint_map has"):
    NameRules(mapping=rules)


@pytest.mark.parametrize(
  "pattern",
  [
    "(a+)+b", "(a|a)*b", "(a*)*b", r"(\w+\s?)+!", "(.*)*x(.*)*y", "(a?){60}b",
    ".*.*.*.*.*.*.*.*.*.*b",
  ],
)  # fmt: skip
def test_catastrophic_ones_end(pattern, monkeypatch):
  monkeypatch.setattr(patterns, "MAX_SECONDS", 1.0)
  rules = NameRules(mapping={pattern: "x"})
  values = NamedValues("path", "checkpoint", {}, lambda name: None)
  start = time.time()
  with pytest.raises((ValueError, hie.WeightsError)):
    rules.names(_NAMES, values)
  assert time.time() - start < 10


def test_plain_names_start_no_process(monkeypatch):
  monkeypatch.setattr(patterns.subprocess, "run", None)
  assert patterns.expand({"a/kernel": "b.c"}, _NAMES) == {
    "a/kernel": {"a/kernel": "b.c"}
  }
