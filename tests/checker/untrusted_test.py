# SPDX-License-Identifier: Apache-2.0
"""Modules that nobody vouches for: bounded time and memory, no crash."""

from __future__ import annotations

import collections
import os
import pathlib
import random
import shutil
import subprocess
import time

import pytest

from hub_image_export.checker import check_module, runner, worker
from hub_image_export.checker.judging import check
from hub_image_export.checker.reading import directory_rules as files
from hub_image_export.checker.report import Findings, clean
from hub_image_export.tensorflow_api.compat import tf
from tests.checker import edit, tiny
from tests.faults.damage import damaged

v1 = tf.compat.v1
_MUTATIONS = 240


def _mutants(original, folder, count):
  """Copies of the module, each with one damaged file; fixed seeds."""
  files = sorted(p for p in pathlib.Path(original).rglob("*") if p.is_file())
  for seed in range(count):
    source = random.Random(seed)
    # Most bytes of interest are in the graph.
    file = source.choice([*files, pathlib.Path(original) / "saved_model.pb"])
    copy = folder / f"mutant_{seed}"
    shutil.copytree(original, copy)
    target = copy / file.relative_to(original)
    target.write_bytes(damaged(target.read_bytes(), source))
    yield str(copy)
    shutil.rmtree(copy)


def test_damaged_files_give_findings(tmp_path):
  original = tiny.build(str(tmp_path / "module"))
  rules = collections.Counter()
  start = time.time()
  for path in _mutants(original, tmp_path, _MUTATIONS):
    findings = Findings()
    check(path, True, findings, lambda name: None)
    rules.update({f.rule for f in findings.all if f.severity == "error"})
  print(f"{_MUTATIONS} mutations, read: {dict(rules)}")
  assert rules["corrupt-file"] > _MUTATIONS / 10
  assert time.time() - start < 120


@pytest.mark.slow
@pytest.mark.newest
def test_time_limit_ends_a_module_that_never_ends(tmp_path):
  def for_ever(x):
    return v1.while_loop(
      lambda y: tf.reduce_sum(tf.abs(y)) >= 0.0, lambda y: y + 0.0, [x]
    )

  path = tiny.build(
    str(tmp_path / "module"), make_features=lambda x: tiny.pool(for_ever(x))
  )
  start = time.time()
  report = check_module(path, timeout=25)
  assert [f.rule for f in report.errors] == ["unloadable"], str(report)
  assert "25 seconds" in report.errors[0].message
  assert time.time() - start < 60


@pytest.mark.slow
def test_gigantic_tensor_ends_in_a_finding(tmp_path):
  """More memory than the process may have."""

  def features(x):
    big = tf.zeros([tf.shape(x)[0] * 2**19, 2**19])
    return tiny.pool(x) + tf.reduce_sum(tf.abs(big))

  path = tiny.build(
    str(tmp_path / "module"), make_features=features, variants=[set()]
  )
  report = check_module(path, timeout=120)
  assert {f.rule for f in report.errors} == {"unloadable"}, str(report)


def test_gigantic_images_are_not_tried(tmp_path):
  path = str(tmp_path / "module")
  tiny.build(
    path,
    make_images=lambda: tiny.placeholder(None),
    info=(2**30, 2**30),
    variants=[set()],
  )
  findings = Findings()
  summary = check(path, False, findings, lambda name: None)
  assert not summary["ran"]
  assert "unchecked" in {f.rule for f in findings.all}


def test_crash_of_the_process_is_a_finding(
  tmp_path, monkeypatch, nothing_prepared
):
  """What was found before the crash is kept."""
  monkeypatch.setattr(runner, "_WORKER", "crashing_worker")
  monkeypatch.setenv("PYTHONPATH", str(tmp_path))
  (tmp_path / "crashing_worker.py").write_text(
    "import json, os, sys\n"
    "finding = dict(rule='probabilities', severity='error', where='',"
    " message='m')\n"
    "results = json.loads(sys.stdin.readline())['results']\n"
    "with open(results, 'w') as file:\n"
    "  file.write(json.dumps({'stage': 'running'}) + '\\n')\n"
    "  file.write(json.dumps({'finding': finding}) + '\\n{\"sta')\n"
    "os.abort()\n"
  )
  path = tiny.build(str(tmp_path / "module"))
  report = check_module(path)
  assert {f.rule for f in report.errors} == {"probabilities", "unloadable"}


def test_no_file_is_touched_by_a_refused_module(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  stolen = str(tmp_path / "stolen")

  def scale(x):
    with tf.control_dependencies([tf.io.write_file(stolen, "data")]):
      return tf.identity(x)

  path = tiny.build(str(tmp_path / "module"), scale=scale)
  if os.path.exists(stolen):
    os.remove(stolen)
  report = check_module(path)
  assert {f.rule for f in report.errors} == {"not-hermetic"}
  assert not report.summary["ran"]
  assert not os.path.exists(stolen)


def test_op_behind_a_variable_is_not_run(tmp_path):
  """No signature needs it, and reading the variable would run it."""
  stolen = str(tmp_path / "stolen")
  path = str(tmp_path / "module")
  with edit.saved_model(path) as proto:
    with tf.Graph().as_default() as graph:
      tf.io.write_file(
        tf.constant(stolen, name="evil/name"), "x", name="evil/w"
      )
    for meta_graph in proto.meta_graphs:
      nodes = meta_graph.graph_def.node
      handle = next(node for node in nodes if node.op == "VarHandleOp")
      read = f"{handle.name}/Read/ReadVariableOp"
      next(n for n in nodes if n.name == read).input.append("^evil/w")
      nodes.extend(graph.as_graph_def().node)
  report = check_module(path)
  assert not report.errors, str(report)
  assert "could touch files" in report.summary["why_not_run"]
  assert not os.path.exists(stolen)


def test_no_code_beside_the_module_is_imported(tmp_path, monkeypatch):
  """`python -m` imports from the working directory first."""
  path = tiny.build(str(tmp_path / "module"))
  ran = tmp_path / "ran"
  for name in ("json", "numpy", "tensorflow"):
    file = tmp_path / "module" / f"{name}.py"
    file.write_text(f"open({str(ran)!r}, 'w')\n")
  monkeypatch.delenv("PYTHONPATH", raising=False)
  monkeypatch.chdir(path)
  report = check_module(".", static=True)
  assert {f.rule for f in report.errors} == {"unexpected-file"}, str(report)
  assert not ran.exists()


def test_holes_in_files_give_no_memory(tmp_path):
  file = tmp_path / "variables" / "variables.data-00000-of-00001"
  file.parent.mkdir()
  file.write_bytes(b"x" * 5000)
  os.truncate(file, 2**42)
  (tmp_path / "deep").symlink_to(tmp_path)
  assert 0 < worker.stored_bytes(str(tmp_path)) < 2**20


def test_files_are_listed_however_deep_and_many(tmp_path, monkeypatch):
  here = os.open(tmp_path, os.O_RDONLY)
  for _ in range(2500):  # A path may have 4096 bytes.
    os.mkdir("d", dir_fd=here)
    inner = os.open("d", os.O_RDONLY, dir_fd=here)
    os.close(here)
    here = inner
  os.close(here)
  found, all_of_them = files.list_files(str(tmp_path))
  assert all_of_them
  assert len(found) == 1, "What is too deep to be read is told."
  monkeypatch.setattr(files, "MAX_FILES", 10)
  assert files.list_files(str(tmp_path)) == ([], False)
  subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True)


def test_static_check_runs_nothing(tmp_path):
  path = str(tmp_path / "module")
  tiny.build(path, make_features=lambda x: 0.0 * tiny.pool(x))
  findings = Findings()
  summary = check(path, True, findings, lambda name: None)
  assert not summary["ran"]
  assert "input-ignored" not in {f.rule for f in findings.all}


def test_names_of_a_module_do_not_reach_the_terminal_as_they_are(tmp_path):
  with edit.saved_model(str(tmp_path / "module")) as proto:
    for meta_graph in proto.meta_graphs:
      meta_graph.collection_def["\x1b[2J\nevil"].node_list.value.append("a")
  findings = Findings()
  check(str(tmp_path / "module"), True, findings, lambda name: None)
  text = "".join(map(str, findings.all))
  assert "evil" in text
  assert "\x1b" not in text
  assert "\n" not in text


def test_texts_are_bounded():
  assert len(clean("x" * 10**6)) <= 600


def test_pipe_in_the_directory_is_not_opened(tmp_path):
  path = tiny.build(str(tmp_path / "module"))
  os.remove(path + "/saved_model.pb")
  if not hasattr(os, "mkfifo"):
    pytest.skip("no pipes here")
  os.mkfifo(path + "/saved_model.pb")
  report = check_module(path, static=True, timeout=120)
  assert [f.rule for f in report.errors] == ["corrupt-file"]
