# SPDX-License-Identifier: Apache-2.0
"""All of the contract, as the independent checker sees it.

No module that a builder makes has a finding above `info`: all sources, fixed
and variable sizes, one task and several, on either line of TensorFlow.
"""

from __future__ import annotations

import pytest

from hub_image_export.checker.judging import check
from hub_image_export.checker.report import Findings


def test_nothing_above_info_is_found(exported):
  _check(exported.path)


@pytest.mark.slow
def test_nothing_above_info_is_found_in_the_other_format(exported, tmp_path):
  path = str(tmp_path / "saved_model")
  exported.spec.export_saved_model(path, verify=False)
  _check(path)


def _check(path):
  findings = Findings()
  check(path, False, findings, lambda stage: None)
  found = [
    f for f in findings.all if f.severity != "info" and not _of_a_loop(f)
  ]
  assert not found, "\n".join(map(str, found))


def _of_a_loop(finding):
  """TensorFlow 1.15 runs these loops, and has no gradient of them."""
  message = finding.message
  return finding.rule == "oldest-tensorflow" and "of StatelessWhile" in message
