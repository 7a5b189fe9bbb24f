# SPDX-License-Identifier: Apache-2.0
"""One process judges many modules, and each has a process of its own."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import subprocess
import sys

import pytest

from hub_image_export import checker
from hub_image_export.checker import check_module, check_modules, runner
from hub_image_export.checker.judging import check
from hub_image_export.checker.report import Findings, Report, in_order
from hub_image_export.checker.runner import Workers
from tests.checker import corpus, tiny


@pytest.fixture(scope="module")
def module(tmp_path_factory):
  return tiny.build(str(tmp_path_factory.mktemp("good") / "module"))


@pytest.fixture
def started(monkeypatch, nothing_prepared):
  """The processes that were started."""
  found = []
  start = runner.Worker.__init__

  def listed(self):
    start(self)
    found.append(self)

  monkeypatch.setattr(runner.Worker, "__init__", listed)
  return found


def _modules(module, count, **options):
  options = {"static": True, "timeout": 100.0, "jobs": 2, **options}
  return check_modules([module] * count, **options)


@pytest.mark.slow
def test_reports_come_in_the_order_of_the_paths(module, started, tmp_path):
  missing = str(tmp_path / "missing")
  paths = [module, missing, module, str(tmp_path)]
  reports = list(check_modules(paths, static=False, timeout=100.0, jobs=2))
  assert [report.path for report in reports] == paths
  assert [bool(report.errors) for report in reports] == [
    False, True, False, True,
  ]  # fmt: skip
  assert reports[0].to_json() == reports[2].to_json()
  assert reports[0].findings == check_module(module).findings
  assert len(started) == 3, "Two jobs, and one for check_module."
  assert all(worker.ended for worker in started)


@pytest.mark.slow
def test_a_module_that_takes_too_long_is_given_up_alone(module, started):
  """Importing TensorFlow takes longer; the next one has a new process."""
  (report,) = _modules(module, 1, timeout=0.1)
  assert [f.rule for f in report.errors] == ["unloadable"]
  workers = Workers()
  with workers.prepared():
    with workers.one() as first:
      first.kill()
    with workers.one() as second:
      assert second is not first
      assert not second.check(module, True, 100.0, checker.Findings())["ran"]
  assert all(worker.ended for worker in started)


@pytest.mark.slow
def test_who_stops_asking_ends_all_processes(module, started):
  reports = _modules(module, 50, static=False)
  next(reports)
  reports.close()
  assert len(started) <= 2
  assert all(worker.ended for worker in started)


def test_a_prepared_process_is_used_and_ended(module, started):
  with checker.prepared():
    with checker.prepared():
      assert len(started) == 1
      check_module(module, static=True)
    assert not started[0].ended
    check_module(module, static=True)
  assert len(started) == 1
  assert started[0].ended
  with contextlib.suppress(KeyError), checker.prepared():
    raise KeyError
  assert started[1].ended
  assert not os.path.exists(started[1]._folder.name)


def test_a_module_is_checked_beside_other_work(module, started):
  with checker.checked_beside() as begin:
    report = begin(module)
    (worker,) = started
    assert report().to_json() == check_module(module).to_json()
  assert worker.ended
  with contextlib.suppress(KeyError), checker.checked_beside() as begin:
    begin(module)
    raise KeyError
  assert all(worker.ended for worker in started)


def test_the_process_has_no_threads_and_no_keras_when_it_forks():
  """A lock that another thread holds would never open in a fork."""
  code = (
    "import os, sys\n"
    "from hub_image_export.tensorflow_api import without_keras as w\n"
    "with w.left_out():\n"
    "  from hub_image_export.checker import judging\n"
    "from hub_image_export.tensorflow_api.compat import hub, tf\n"
    "hub.Module\n"
    "print(len(os.listdir('/proc/self/task')), "
    "any(m.startswith(('keras.', 'scipy.')) for m in sys.modules))\n"
    "print(tf.keras.layers.Dense.__name__)"
  )
  done = subprocess.run(
    [sys.executable, "-c", code],
    env=runner._environment(),
    capture_output=True,
    text=True,
  )
  assert done.stdout.split() == ["1", "False", "Dense"], done.stderr[-2000:]


@pytest.mark.slow
def test_it_finds_what_is_found_with_keras_in_another(tmp_path):
  """One in four of the corpus, for all of it takes minutes.

  What is no directory is not judged in a process.
  """
  corpus.load()
  makers = [
    *itertools.chain(*corpus.DEFECTS.values(), *corpus.WARNINGS.values())
  ]
  paths = []
  for number, maker in enumerate([*makers, *corpus.GOOD][::4]):
    paths.append(str(tmp_path / f"{number}_{maker.__name__}"))
    maker(paths[-1])
  paths = list(filter(os.path.isdir, paths))
  # Gradients of Python functions are there in the process that made them.
  paths = [path for path in paths if "custom_gradient" not in path]
  differing = {}
  for apart in check_modules(paths, static=False, timeout=100.0, jobs=2):
    findings = Findings()
    summary = check(apart.path, False, findings, lambda stage: None)
    here = Report(apart.path, in_order(findings.all), summary)
    found = _without_draws(apart), _without_draws(here)
    if found[0] != found[1]:
      differing[os.path.basename(apart.path)] = found
  assert not differing


def _without_draws(report):
  """How far apart random answers are differs each time."""
  return re.sub(r"\d\.\de[+-]\d\d", "#", str(report.to_json()))
