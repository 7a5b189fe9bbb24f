# SPDX-License-Identifier: Apache-2.0
"""The one form of all checkpoints: names, and values one at a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class NamedValues:
  """Values by name, read when they are asked for.

  Attributes:
    path: of the file or directory, for messages.
    kind: what it is, likewise ("TF1 checkpoint").
    specs: a `tf.TensorSpec`, with shape and dtype, by name.
    read: `read(name)` gives one value as an array; WeightsError if it cannot
      be had. Nothing is kept.
    aliases: other names, by which values may be asked for too.
    bookkeeping: names of values that are no weights (optimizers, counters).
  """

  path: str
  kind: str
  specs: Mapping[str, Any]
  read: Callable[[str], Any]
  aliases: Mapping[str, str] = dataclasses.field(default_factory=dict)
  bookkeeping: frozenset[str] = frozenset()

  def __str__(self) -> str:
    return f"{self.kind} {self.path!r}"

  def find(self, name: str) -> str | None:
    """The name in `specs` for a name or an alias; None if there is none."""
    return name if name in self.specs else self.aliases.get(name)
