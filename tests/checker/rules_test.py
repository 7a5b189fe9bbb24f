"""Every rule is tripped by a module made for it, and by no other."""

from __future__ import annotations

import os

import pytest

from hub_image_export.checker import check_module, rules
from hub_image_export.checker.report import Findings
from hub_image_export.checker.worker import check
from tests.checker import corpus

corpus.load()


def _cases(registry):
  return [
    pytest.param(rule, maker, id=f"{rule}-{maker.__name__}")
    for rule, makers in registry.items()
    for maker in makers
  ]


def _findings(path):
  """Checks in this process: the corpus does no harm."""
  if not os.path.isdir(path):
    return check_module(path).findings
  findings = Findings()
  check(path, False, findings, lambda name: None)
  return findings.all


def _broken(findings, severity):
  return {f.rule for f in findings if f.severity == severity}


@pytest.mark.parametrize(("rule", "maker"), _cases(corpus.DEFECTS))
def test_defect_trips_its_rule_and_no_other(rule, maker, tmp_path):
  path = str(tmp_path / "module")
  maker(path)
  findings = _findings(path)
  assert _broken(findings, "error") == {rule}, "\n".join(map(str, findings))


@pytest.mark.parametrize(("rule", "maker"), _cases(corpus.WARNINGS))
def test_suspicious_module_is_warned_of(rule, maker, tmp_path):
  path = str(tmp_path / "module")
  maker(path)
  findings = _findings(path)
  assert not _broken(findings, "error"), "\n".join(map(str, findings))
  # What today's TensorFlow writes is seldom known to TensorFlow 1.15.
  others = _broken(findings, "warning") - {"oldest-tensorflow", rule}
  assert rule in _broken(findings, "warning")
  assert not others


@pytest.mark.parametrize(
  "maker", corpus.GOOD, ids=[maker.__name__ for maker in corpus.GOOD]
)
def test_good_module_has_no_finding_above_info(maker, tmp_path):
  path = str(tmp_path / "module")
  maker(path)
  findings = [f for f in _findings(path) if f.severity != "info"]
  assert not findings, "\n".join(map(str, findings))


def test_every_rule_has_a_module_that_trips_it():
  tripped = {*corpus.DEFECTS, *corpus.WARNINGS}
  assert set(rules.RULES) - tripped == {"unchecked"}
