# SPDX-License-Identifier: Apache-2.0
"""A row of the table: one argument, one value, and what is said of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

TYPE, VALUE, BOUNDARY = "type", "value", "boundary"


@dataclasses.dataclass(frozen=True)
class Made:
  """A value that is made when its row is tried: of files, of models.

  Attributes:
    name: what to call it.
    make: gives the value, from the directory with the files (see `place`).
  """

  name: str
  make: Callable[[Any], Any]

  def __repr__(self) -> str:
    return f"<{self.name}>"


def file(name: str, kind: Callable[[Any], Any] = str) -> Made:
  """The path of one of the files that `place` makes."""
  return Made(name, lambda place: kind(place.directory / name))


@dataclasses.dataclass(frozen=True)
class Row:
  """One case.

  Attributes:
    call: a name that `calls` knows, or of a script.
    argument: its name; that of a flag without the dashes.
    case: whether the type is wrong, or the value, or it is a limit.
    value: given for the argument; `Made` when the row is tried.
    exception: what is raised; SystemExit for scripts, which tell it and give
      the exit code 1; None where the value is a good one.
    words: what the message must have, beside the argument and the value.
    others: further arguments.
    late: whether it shows only when the function was traced.
    got: what the message has of the value, where that is in a file.
  """

  call: str
  argument: str
  case: str
  value: Any
  exception: type[BaseException] | None
  words: tuple[str, ...] = ()
  others: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  late: bool = False
  got: str = ""

  def __str__(self) -> str:
    value = self.value
    if isinstance(value, (set, frozenset)):  # Names of tests do not vary.
      value = sorted(value)
    try:
      value = repr(value)
    except ValueError:  # An integer of too many digits.
      value = type(self.value).__name__
    return f"{self.call}-{self.argument}-{self.case}-{value:.30}"


# Some values of an argument whose call and name are still to be said.
Values = Callable[[str, str, Mapping[str, Any]], list[Row]]


def rows(
  call: str, table: Mapping[str, Iterable[Values]], **others: Any
) -> list[Row]:
  """Those of some arguments; `others` are further arguments of the calls."""
  return [
    row
    for argument, several in table.items()
    for values in several
    for row in values(call, argument, others)
  ]


def wrong(
  values: Iterable[Any],
  *words: str,
  exception: type[BaseException] | None = ValueError,
  case: str = VALUE,
  late: bool = False,
  **more: Any,
) -> Values:
  """Values that are refused; `more` arguments beside those of `rows`."""
  return lambda call, argument, others: [
    Row(call, argument, case, value, exception, words, {**others, **more}, late)
    for value in values
  ]


def types(values: Iterable[Any], *words: str) -> Values:
  """Values of a wrong type."""
  return wrong(values, *words, exception=TypeError, case=TYPE)


def beyond(values: Iterable[Any], *words: str, **more: Any) -> Values:
  """Values just beyond a limit."""
  return wrong(values, *words, case=BOUNDARY, **more)


def good(values: Iterable[Any], **more: Any) -> Values:
  """Values up to a limit, which are accepted."""
  return wrong(values, exception=None, case=BOUNDARY, **more)
