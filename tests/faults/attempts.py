# SPDX-License-Identifier: Apache-2.0
"""What all kinds of faults yield: one attempt after the other."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator


class Scale(enum.Enum):
  """How many faults are injected: those of the suite, or all."""

  SHORT = "short"
  FULL = "full"


# What was done, what is needed to do it again, and why it is lost: an empty
# string if all was as it has to be afterwards.
Attempt = tuple[str, str, str]
# The latter two, of one fault.
Tries = Iterator[tuple[str, str]]
# In place of a reason, where this machine does not let the fault be injected.
SKIPPED = "skipped: users may not mount file systems here"


def of(fault: str, tries: Iterable[tuple[str, str]]) -> Iterator[Attempt]:
  """Attempts that all do the same, made as they are asked for."""
  return ((fault, what, why) for what, why in tries)
