# SPDX-License-Identifier: Apache-2.0
"""Checks image modules of either format against the contract.

  check_module PATH…
  check_module --format=json --strict module.tar.gz
  check_module --static downloaded/module
  check_module --jobs=4 hub/*/*

A path is a module's directory or a tar archive of one. Modules are read and
run in processes of their own, with bounded time and memory; ops that touch
files or processes are refused before anything runs.

Exit code: 0 the modules conform; 1 the check itself could not run (bad flags,
no TensorFlow); 2 there is an error (with --strict: or a warning). The rules
are documented in docs/rules.md.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence

from absl import flags

from hub_image_export import progress
from hub_image_export.checker import DEFAULT_TIMEOUT, Report, check_modules
from hub_image_export.command_line import run as command_line, start_up

EXIT_NOT_CONFORMING = 2

_FLAGS = flags.FlagValues()
_FORMAT = flags.DEFINE_enum(
  "format",
  "text",
  ["text", "json"],
  "What is written to stdout: text for people, or a JSON list of reports.",
  flag_values=_FLAGS,
)
_STRICT = flags.DEFINE_bool(
  "strict", False, "Let warnings count as errors.", flag_values=_FLAGS
)
_STATIC = flags.DEFINE_bool(
  "static", False, "Read the files only; run nothing.", flag_values=_FLAGS
)
_TIMEOUT = flags.DEFINE_float(
  "timeout",
  DEFAULT_TIMEOUT,
  "Seconds for each module, after which it is given up.",
  lower_bound=0.1,
  flag_values=_FLAGS,
)
_JOBS = flags.DEFINE_integer(
  "jobs",
  1,
  "How many modules are checked at a time.",
  lower_bound=1,
  flag_values=_FLAGS,
)
command_line.define_debug(_FLAGS)


def main(argv: Sequence[str]) -> int:
  """Checks the paths `argv[1:]`; returns the worst exit code."""
  paths = argv[1:]
  if not paths:
    raise ValueError(
      "Got no path: expected the directories or archives of modules, as in: "
      "check_module path/to/module"
    )
  reports = []
  for report in _checked(paths):
    reports.append(report)
    if _FORMAT.value == "text":
      command_line.tell(str(report))
  if _FORMAT.value == "json":
    found = [report.to_json() for report in reports]
    command_line.tell(json.dumps(found, indent=2))
  return max(_exit_code(report) for report in reports)


def _checked(paths: Sequence[str]) -> Iterator[Report]:
  """The reports, in the order of the paths; tells how many there are."""
  reports = check_modules(
    paths, static=_STATIC.value, timeout=_TIMEOUT.value, jobs=_JOBS.value
  )
  # On a terminal, reports in text show by themselves how far it is.
  silent = _FORMAT.value == "text" and sys.stdout.isatty()
  counted = paths if silent else progress.shown(paths, "Checking modules")
  for _, report in zip(counted, reports):
    yield report


def _exit_code(report: Report) -> int:
  bad = report.errors or (_STRICT.value and report.warnings)
  return EXIT_NOT_CONFORMING if bad else command_line.EXIT_OK


def cli() -> None:
  """The entry point of the script `check_module`."""
  command_line.end(command_line.run(start_up.quietly(main), _FLAGS, __doc__))


if __name__ == "__main__":
  cli()
