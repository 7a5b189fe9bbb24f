# SPDX-License-Identifier: Apache-2.0
"""The benchmarks measure what they say; how long it takes is not tested."""

from __future__ import annotations

import json
import os

import pytest

from benchmarks import (
  depth_once,
  goals,
  growth,
  measure,
  models,
  run,
  startup,
  ways,
  whole,
)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
  """Everything that concerns a model, for a tiny one."""
  path = tmp_path_factory.mktemp("benchmarks") / "tiny.json"
  flags = [f"--output={path}", "--models=Tiny", "--repeats=1"]
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(run, "_THROUGHPUT_ROUNDS", 1)
    run.main([*flags, "--what=export,consumer"])
  return json.loads(path.read_text("utf-8"))


@pytest.mark.slow
@pytest.mark.newest
def test_every_way_is_measured_by_phase(measured):
  rows = {row["way"]: row for row in measured["tables"]["export"]}
  assert rows.keys() == ways.WAYS.keys()
  for row in rows.values():
    seconds = dict(row["seconds"])
    assert seconds.pop("total") == pytest.approx(sum(seconds.values()))
    assert min(seconds.values()) >= 0
  assert {"wrap", "spec", "write"} <= rows["ours"]["seconds"].keys()
  assert "verify" not in rows["ours"]["seconds"]
  assert "verify" in rows["verified"]["seconds"]
  assert {"verify", "check"} <= rows["checked"]["seconds"].keys()
  for way in ("ours", "by_hand"):
    assert rows[way]["variants"] == 2
  assert rows["ours"]["weights_bytes"] == rows["by_hand"]["weights_bytes"] > 0


@pytest.mark.slow
@pytest.mark.newest
def test_ours_and_by_hand_are_the_same_module(measured):
  (throughput,) = measured["tables"]["throughput"]
  assert throughput["images_per_second"].keys() == {
    "source", "ours", "ours_tf2", "by_hand",
  }  # fmt: skip
  assert throughput["largest_difference"] < 1e-5


@pytest.mark.slow
@pytest.mark.newest
def test_loading_is_measured_for_both_modules(measured):
  rows = measured["tables"]["load"]
  assert [row["way"] for row in rows] == ["ours", "by_hand"]
  assert all(row["peak_bytes"] > 0 for row in rows)


@pytest.mark.slow
@pytest.mark.newest
def test_ratios_versions_and_machine_are_told(measured):
  assert {"Python", "TensorFlow", "Keras"} <= measured["versions"].keys()
  assert {"CPU", "cores"} <= measured["machine"].keys()
  names = list(measured["goals"])
  assert any("ours / by_hand, seconds (Tiny" in name for name in names)
  assert any("images per second" in name for name in names)


@pytest.mark.slow
@pytest.mark.newest
def test_startup_measures_imports_and_help():
  rows = startup.run(1)
  seconds = {row["what"]: row["seconds"] for row in rows}
  assert {startup.BASELINE, startup.EVERYTHING, startup.HELP} <= seconds.keys()
  assert min(seconds.values()) > 0


@pytest.mark.slow
@pytest.mark.newest
def test_whole_processes_are_measured_with_their_children():
  rows = {row["what"]: row for row in whole.run(1)}
  assert rows[whole.CHECK]["cpu"] > rows[startup.BASELINE]["cpu"] / 4
  found = list(goals.goals({"whole": list(rows.values())}))
  assert len(found) == 6
  assert all(0.1 < measured < 20 for _, measured, _, _ in found)


def test_growth_exports_networks_of_that_size(tmp_path):
  for axis, size in (("variables", 3), ("bytes", 64_000)):
    path = tmp_path / axis
    row = growth.run(axis, size, str(path))
    assert row["size"] == size
    files = os.listdir(path / "variables")
    data = sum((path / "variables" / f).stat().st_size for f in files)
    assert data >= (size if axis == "bytes" else size * 256)


def test_tracing_is_measured_at_each_depth(monkeypatch):
  monkeypatch.setattr(depth_once, "_MODEL", "Tiny")
  monkeypatch.setattr(depth_once, "_DEPTHS", (0, 7))
  rows = depth_once.run()
  assert [(row["depth"], row["way"]) for row in rows] == [
    (0, "plain"), (0, "ours"), (7, "plain"), (7, "ours"),
  ]  # fmt: skip
  assert min(row["seconds"] for row in rows) > 0


def test_the_peak_is_of_what_came_after():
  before = bytearray(300_000_000)
  del before
  memory = measure.Memory()
  during = bytearray(100_000_000)
  del during
  assert 95e6 < memory.peak() < 250e6


def test_what_is_linear_and_what_is_not():
  assert goals.r_squared([1, 2, 3, 4], [3, 5, 7, 9]) == pytest.approx(1)
  bent = goals.r_squared([1, 2, 3, 4], [1, 4, 9, 16])
  assert bent == pytest.approx(0.969, abs=1e-3)


@pytest.mark.parametrize(("ours", "reached"), [(1.4, True), (1.6, False)])
def test_goals_tell_what_is_reached(ours, reached):
  """Two models that took `ours` seconds, and by hand 10."""
  seconds = {
    "by_hand": 10.0,
    "floor": 1.0,
    "verified": 4.0,
    "checked": 6.0,
    "ours": ours,
  }
  rows = [
    {
      "model": model,
      "way": way,
      "seconds": {"total": total},
      "peak_bytes": 90_000_000,
      "weights_bytes": 20_000_000,
      "graph_bytes": 100 if way == "by_hand" else 30,
    }
    for model in models.DEFAULT[:2]
    for way, total in seconds.items()
  ]
  found = {
    goal[0].partition(" (")[0]: (
      goal[1],
      goals.line(goal).startswith("reached"),
    )
    for goal in goals.goals({"export": rows})
  }
  assert found["ours / by_hand, seconds"] == (pytest.approx(ours / 10), reached)
  assert found["ours / floor, seconds"] == (pytest.approx(ours), reached)
  assert found["verified / by_hand, seconds"] == (pytest.approx(0.4), True)
  assert found["checked / verified, seconds"] == (pytest.approx(1.5), True)
  assert found["ours / by_hand, graph_bytes"] == (pytest.approx(0.3), True)
  peak = f"MB at the peak, less 1.3 × the weights, {models.DEFAULT[0]}"
  assert found[peak] == (pytest.approx(64), True)


@pytest.mark.parametrize("flag", ["--models=Tiny,AlexNet", "--what=imports"])
def test_unknown_words_are_refused(flag):
  with pytest.raises(SystemExit, match="expected some of"):
    run.main([flag])
