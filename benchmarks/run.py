# SPDX-License-Identifier: Apache-2.0
"""Measures everything with this interpreter's TensorFlow.

  python -m benchmarks.run
  python -m benchmarks.run --output=mine.json \\
      --what=export,consumer --models=ResNet50,MobileNetV2 --repeats=5

Each measurement is a fresh process; those that are compared take turns. Rows
are printed as they come, and the goals and ratios at the end. The output has
all of that as JSON.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import sys
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any

from benchmarks import (
  goals,
  growth,
  models,
  processes,
  startup,
  ways,
  whole,
)

_THROUGHPUT_ROUNDS = 5
_CONSUMED = ("ours", "by_hand")
# The table of the results, and the row.
Rows = Iterator[tuple[str, dict[str, Any]]]


def export(
  names: list[str], repeats: int, chosen: Iterable[str] = ways.WAYS
) -> Rows:
  """The chosen ways, for each model."""
  for name in names:
    for number in range(repeats):
      for way in chosen:
        with tempfile.TemporaryDirectory() as directory:
          row = _export_once(name, way, directory)
        yield "export", {**row, "round": number}


def consumer(names: list[str], repeats: int) -> Rows:
  """What users of the modules pay: to load them, and to run them."""
  for name in names:
    with tempfile.TemporaryDirectory() as directory:
      paths = {way: f"{directory}/{way}" for way in _CONSUMED}
      for way in _CONSUMED:
        _export_once(name, way, directory)
      for number in range(repeats):
        for way, path in paths.items():
          row = processes.run("benchmarks.load_once", path=path)
          yield "load", {"model": name, "way": way, "round": number, **row}
      row = processes.run(
        "benchmarks.throughput_once",
        model=name,
        rounds=_THROUGHPUT_ROUNDS,
        **paths,
      )
      yield "throughput", row


def grow(repeats: int, sizes: dict[str, tuple[int, ...]]) -> Rows:
  """Synthetic networks of growing size."""
  for number in range(repeats):
    for axis in sizes:
      for size in sizes[axis]:
        with tempfile.TemporaryDirectory() as directory:
          row = processes.run(
            "benchmarks.growth",
            axis=axis,
            size=size,
            path=f"{directory}/module",
          )
        yield "growth", {**row, "round": number}


def start_up(repeats: int) -> Rows:
  for row in startup.run(repeats):
    yield "startup", row


def whole_processes(rounds: int) -> Rows:
  for row in whole.run(rounds):
    yield "whole", row


def depth(repeats: int) -> Rows:
  """Tracing from deep down, with and without room on the call stack."""
  for number in range(repeats):
    for row in processes.run("benchmarks.depth_once")["rows"]:
      yield "depth", {**row, "round": number}


def _export_once(name: str, way: str, directory: str) -> dict[str, Any]:
  return processes.run(
    "benchmarks.export_once", model=name, way=way, path=f"{directory}/{way}"
  )


# A line is drawn through all sizes, each of which adds to its sureness.
_REPEATS = {
  "export": 3, "consumer": 3, "growth": 2, "startup": 7, "depth": 5,
  "whole": 3,
}  # fmt: skip


_PARTS = {
  "export": export,
  "consumer": consumer,
  "growth": lambda names, repeats: grow(repeats, growth.SIZES),
  "startup": lambda names, repeats: start_up(repeats),
  "depth": lambda names, repeats: depth(repeats),
  "whole": lambda names, repeats: whole_processes(repeats),
}


def main(argv: list[str] | None = None) -> None:
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--output", help="A file: all that was measured, JSON.")
  parser.add_argument("--what", default=",".join(_PARTS), help="Parts.")
  parser.add_argument("--models", default=",".join(models.DEFAULT))
  parser.add_argument("--ways", default=",".join(ways.WAYS))
  parser.add_argument("--repeats", type=int, help=f"{_REPEATS} by default.")
  flags = parser.parse_args(argv)
  names = _known("--models", flags.models, models.CASES)
  parts = _known("--what", flags.what, _PARTS)
  chosen = _known("--ways", flags.ways, ways.WAYS)
  tables: goals.Tables = {}
  for what in parts:
    repeats = flags.repeats or _REPEATS[what]
    more = {"chosen": chosen} if what == "export" else {}
    for table, row in _PARTS[what](names, repeats, **more):
      tables.setdefault(table, []).append(row)
      print(table, row, flush=True)
  found = list(goals.goals(tables))
  print(*map(goals.line, found), sep="\n")
  if flags.output:
    result = {
      **processes.run("benchmarks.machine"),
      "goals": {name: measured for name, measured, _, _ in found},
      "tables": tables,
    }
    pathlib.Path(flags.output).write_text(
      json.dumps(result, indent=1) + "\n", "utf-8"
    )


def _known(flag: str, value: str, known: Any) -> list[str]:
  """The words of a flag's value, all of which must be known."""
  words = value.split(",")
  unknown = [word for word in words if word not in known]
  if unknown:
    sys.exit(f"{flag} has {unknown}: expected some of {list(known)}")
  return words


if __name__ == "__main__":
  main()
