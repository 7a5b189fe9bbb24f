# SPDX-License-Identifier: Apache-2.0
"""Every rule is tripped by a module made for it, and by no other."""

from __future__ import annotations

import os

import pytest

from hub_image_export.checker import check_module, rules
from hub_image_export.checker.judging import check
from hub_image_export.checker.report import Findings
from tests.checker import corpus

corpus.load()


def _cases(registry):
  """One module for each rule is judged with the fast tests, all with the slow."""
  return [
    pytest.param(
      rule,
      maker,
      id=f"{rule}-{maker.__name__}",
      marks=[pytest.mark.slow] if i else [],
    )
    for rule, makers in registry.items()
    for i, maker in enumerate(makers)
  ]


def _good():
  return [
    pytest.param(
      maker, id=maker.__name__, marks=[pytest.mark.slow] if i % 4 else []
    )
    for i, maker in enumerate(corpus.GOOD)
  ]


def _broken(maker, path):
  """The rules broken, by severity; the corpus does no harm in this process."""
  path = str(path / "module")
  maker(path)
  findings = Findings()
  if os.path.isdir(path):
    check(path, False, findings, lambda name: None)
  else:
    findings.all.extend(check_module(path).findings)
  print("\n".join(map(str, findings.all)))
  return {
    severity: {f.rule for f in findings.all if f.severity == severity}
    for severity in rules.SEVERITIES
  }


@pytest.mark.parametrize(("rule", "maker"), _cases(corpus.DEFECTS))
def test_defect_trips_its_rule_and_no_other(rule, maker, tmp_path):
  assert _broken(maker, tmp_path)["error"] == {rule}


@pytest.mark.parametrize(("rule", "maker"), _cases(corpus.WARNINGS))
def test_suspicious_module_is_warned_of(rule, maker, tmp_path):
  broken = _broken(maker, tmp_path)
  assert not broken["error"]
  assert rule in broken["warning"]
  # What today's TensorFlow writes is seldom known to TensorFlow 1.15.
  assert broken["warning"] <= {rule, "oldest-tensorflow"}


@pytest.mark.parametrize("maker", _good())
def test_good_module_has_no_finding_above_info(maker, tmp_path):
  broken = _broken(maker, tmp_path)
  assert not broken["error"] | broken["warning"]


def test_every_rule_has_a_module_that_trips_it():
  tripped = {*corpus.DEFECTS, *corpus.WARNINGS}
  assert set(rules.RULES) - tripped == {"unchecked"}
