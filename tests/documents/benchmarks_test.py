"""The benchmarks measure what they say; how long it takes is not tested."""

from __future__ import annotations

import os

import pytest

from benchmarks import (
  depth_once,
  figures,
  goals,
  growth,
  measure,
  page,
  run,
  startup,
  ways,
)
from benchmarks.results import Results

_DESCRIPTION = {
  "machine": {"CPU": "abacus", "cores": 1},
  "versions": {"TensorFlow": "2.0", "Keras": "2.0"},
}


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
  """Everything that concerns a model, for a tiny one."""
  path = tmp_path_factory.mktemp("benchmarks") / "tiny.json"
  flags = [f"--output={path}", "--models=Tiny", "--repeats=1"]
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(run, "_THROUGHPUT_ROUNDS", 1)
    run.main([*flags, "--what=export,consumer"])
  return Results.read(path)


def test_the_page_is_made_of_the_results():
  runs = page.read_all()
  assert runs
  assert page.PAGE.read_text("utf-8") == page.page(runs), (
    "Run: python -m benchmarks.page"
  )


def test_every_way_is_measured_by_phase(measured):
  rows = {row["way"]: row for row in measured.rows("export", model="Tiny")}
  assert rows.keys() == ways.WAYS.keys()
  for row in rows.values():
    seconds = dict(row["seconds"])
    assert seconds.pop("total") == pytest.approx(sum(seconds.values()))
    assert min(seconds.values()) >= 0
  assert {"wrap", "spec", "write"} <= rows["ours"]["seconds"].keys()
  assert "verify" not in rows["ours"]["seconds"]
  assert "verify" in rows["verified"]["seconds"]
  assert {"verify", "check"} <= rows["checked"]["seconds"].keys()


def test_ours_and_by_hand_are_the_same_module(measured):
  ours, by_hand = (
    measured.rows("export", way=way)[0] for way in ("ours", "by_hand")
  )
  assert ours["variants"] == by_hand["variants"] == 2
  assert ours["weights_bytes"] == by_hand["weights_bytes"] > 0
  (throughput,) = measured.rows("throughput")
  assert throughput["images_per_second"].keys() == {
    "source", "ours", "ours_tf2", "by_hand",
  }  # fmt: skip
  assert throughput["largest_difference"] < 1e-5


def test_loading_is_measured_for_both_modules(measured):
  assert [row["way"] for row in measured.rows("load")] == ["ours", "by_hand"]
  assert all(row["peak_bytes"] > 0 for row in measured.rows("load"))


def test_another_run_adds_to_the_results(measured, monkeypatch):
  def rows(what, names, repeats):
    yield what, {"what": "import", "round": 0, "seconds": float(repeats)}

  description = {key: measured.description[key] for key in _DESCRIPTION}
  monkeypatch.setattr(run.processes, "run", lambda module: description)
  monkeypatch.setattr(run, "measure", rows)
  for repeats in (1, 2):
    run.main(
      [f"--output={measured.path}", "--what=startup", f"--repeats={repeats}"]
    )
  results = Results.read(measured.path)
  assert [row["seconds"] for row in results.rows("startup")] == [2.0]
  assert results.rows("export") == measured.rows("export")


def test_growth_exports_networks_of_that_size(tmp_path):
  for axis, size in (("variables", 3), ("bytes", 32_000)):
    path = tmp_path / axis
    row = growth.run(axis, size, str(path))
    assert row["size"] == size
    files = os.listdir(path / "variables")
    data = sum((path / "variables" / f).stat().st_size for f in files)
    assert data >= (size if axis == "bytes" else size * 256)


def test_startup_measures_imports_and_help():
  rows = startup.run(1)
  seconds = {row["what"]: row["seconds"] for row in rows}
  assert {startup.BASELINE, startup.EVERYTHING, startup.HELP} <= seconds.keys()
  assert min(seconds.values()) > 0


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


def test_a_line_and_how_far_it_is_off():
  line = figures.fit([1, 2, 3, 4], [3, 5, 7, 9])
  assert (line.slope, line.intercept) == pytest.approx((2, 1))
  assert line.r_squared == pytest.approx(1)
  bent = figures.fit([1, 2, 3, 4], [1, 4, 9, 16])
  assert bent.r_squared == pytest.approx(0.969, abs=1e-3)
  assert bent.residual == pytest.approx(1 / 16)


@pytest.mark.parametrize(
  ("value", "text"),
  [(0.0, "0"), (0.01234, "0.0123"), (1.234, "1.23"), (98765.4, "98765")],
)
def test_numbers_have_three_digits(value, text):
  assert figures.number(value) == text


def _results(ours, tmp_path):
  """Two models that took `ours` seconds, and by hand 10."""
  results = Results(tmp_path / "results.json", _DESCRIPTION, {})
  seconds = {"by_hand": 10.0, "floor": 1.0, "verified": 4.0}
  for model in ("A", "B"):
    for way, total in {**seconds, "ours": ours}.items():
      results.add(
        "export",
        {
          "model": model,
          "way": way,
          "seconds": {"total": total},
          "peak_bytes": 90_000_000,
          "weights_bytes": 20_000_000,
          "graph_bytes": 100 if way == "by_hand" else 30,
        },
      )
  return results


@pytest.mark.parametrize(("ours", "reached"), [(1.4, True), (1.6, False)])
def test_goals_tell_what_is_reached(ours, reached, tmp_path):
  found = {row[0]: row for row in goals.goals(_results(ours, tmp_path))}
  name = "{}, seconds, geometric mean over the models"
  for ratio in ("ours / by hand", "ours / floor"):
    assert found[name.format(ratio)][3] is reached
  assert found[name.format("verified / by hand")][3]
  peak = next(row for name, row in found.items() if "peak memory" in name)
  assert peak[2:] == ("64.0 MB (A)", True)


def test_runs_of_other_versions_are_not_mixed(tmp_path):
  path = _results(1.0, tmp_path).path
  Results.read(path).add("startup", {})
  Results.open(path, _DESCRIPTION)
  other = {**_DESCRIPTION, "versions": {"TensorFlow": "2.1", "Keras": "2.0"}}
  with pytest.raises(ValueError, match="give another --output, or delete it"):
    Results.open(path, other)


@pytest.mark.parametrize("flag", ["--models=Tiny,AlexNet", "--what=imports"])
def test_unknown_words_are_refused(flag, tmp_path):
  with pytest.raises(SystemExit, match="expected some of"):
    run.main([f"--output={tmp_path / 'x.json'}", flag])
