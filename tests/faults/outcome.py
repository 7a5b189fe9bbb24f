"""What one kind of fault did."""

from __future__ import annotations

import dataclasses
import enum
import time
from collections.abc import Callable, Iterable


class Scale(enum.Enum):
  """How many faults are injected: those of the suite, or all."""

  SHORT = "short"
  FULL = "full"


@dataclasses.dataclass(frozen=True)
class Outcome:
  """Figures of one fault; `lost` has a reproducible line per lost one.

  Attributes:
    fault: what was done.
    injected: how often it was done.
    survived: how often all was as it has to be afterwards.
    seconds: that it took altogether.
    lost: a line for each that did not survive: enough to do it again.
    note: what else was measured, or why it could not be done.
  """

  fault: str
  injected: int
  survived: int
  seconds: float
  lost: tuple[str, ...]
  note: str = ""


def tally(
  fault: str,
  attempts: Iterable[tuple[str, str]],
  note: Callable[[], str] = lambda: "",
) -> Outcome:
  """Makes and counts attempts.

  Args:
    fault: what is done.
    attempts: for each, what is needed to do it again, and why it is lost: an
      empty string if it survived. They are made one by one as they are asked
      for.
    note: called at last, for what else was measured.
  """
  begin = time.monotonic()
  found = list(attempts)
  lost = tuple(f"{fault}: {what}: {why}" for what, why in found if why)
  seconds = time.monotonic() - begin
  return Outcome(
    fault, len(found), len(found) - len(lost), seconds, lost, note()
  )
