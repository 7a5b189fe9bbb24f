"""The outcomes of all kinds of faults, which may be injected one by one."""

from __future__ import annotations

import dataclasses
import json
import pathlib

from tests.faults.outcome import Outcome

PATH = pathlib.Path(__file__).with_name("results.json")


@dataclasses.dataclass(frozen=True)
class Results:
  """What was measured on one machine with one set of versions.

  Attributes:
    environment: these, in words.
    outcomes: by kind.
  """

  environment: str
  outcomes: dict[str, list[Outcome]]

  @classmethod
  def read(cls) -> Results | None:
    """Those of earlier runs; None if there are none."""
    if not PATH.exists():
      return None
    content = json.loads(PATH.read_text("utf-8"))
    outcomes = {
      kind: [Outcome(**{**row, "lost": tuple(row["lost"])}) for row in rows]
      for kind, rows in content["outcomes"].items()
    }
    return cls(content["environment"], outcomes)

  def write(self) -> None:
    content = dataclasses.asdict(self)
    PATH.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


def update(environment: str, kind: str, outcomes: list[Outcome]) -> Results:
  """Writes the outcomes of a kind, and keeps those of others.

  Numbers of another machine, or of other versions, are forgotten.
  """
  earlier = Results.read()
  same = earlier is not None and earlier.environment == environment
  kept = earlier.outcomes if same else {}
  results = Results(environment, {**kept, kind: outcomes})
  results.write()
  return results
