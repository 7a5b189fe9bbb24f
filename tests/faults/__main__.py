# SPDX-License-Identifier: Apache-2.0
"""Injects faults, and counts them.

  python -m tests.faults
  python -m tests.faults --kinds=killed --kinds=disk
  python -m tests.faults --short  # as few as the tests do

docs/faults.md says what is guaranteed, and has the counts of the last run.
Exit code: 0 nothing was lost; 1 something was, and is told.
"""

from __future__ import annotations

import collections
import importlib
from collections.abc import Iterator, Sequence

from absl import app, flags

from tests.faults.attempts import Attempt, Scale

KINDS = (
  "killed",
  "disk",
  "paths",
  "memory",
  "races",
  "load",
  "mutated_modules",
  "mutated_archives",
  "hostile_values",
)
_KINDS = flags.DEFINE_multi_enum(
  "kinds", list(KINDS), KINDS, "Kinds of faults; all by default."
)
_SHORT = flags.DEFINE_bool("short", False, "As few faults as the tests inject.")


def inject(kind: str, scale: Scale) -> Iterator[Attempt]:
  """The attempts of one kind."""
  return importlib.import_module(f"tests.faults.{kind}").run(scale)


def main(argv: Sequence[str]) -> int:
  if argv[1:]:
    raise app.UsageError(f"Got the arguments {argv[1:]}; expected flags only.")
  scale = Scale.SHORT if _SHORT.value else Scale.FULL
  injected = collections.Counter()
  lost = collections.Counter()
  for kind in _KINDS.value:
    for fault, what, why in inject(kind, scale):
      injected[kind, fault] += 1
      if why:
        lost[kind, fault] += 1
        print(f"lost: {kind}: {fault}: {what}: {why}", flush=True)
    for key in [key for key in injected if key[0] == kind]:
      print(f"{': '.join(key)}: {injected[key]}, lost {lost[key]}", flush=True)
  print(f"all: {injected.total()}, lost {lost.total()}")
  return int(bool(lost))


if __name__ == "__main__":
  app.run(main)
