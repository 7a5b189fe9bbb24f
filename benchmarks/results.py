"""The raw numbers of a run, as JSON."""

from __future__ import annotations

import datetime
import json
import os
import pathlib
from collections.abc import Iterable
from typing import Any


class Results:
  """The tables of a run, on disk after each row.

  Attributes:
    description: `machine`, `versions` and `date` of the run.
    tables: rows by the name of their table.
  """

  def __init__(
    self,
    path: str | os.PathLike[str],
    description: dict[str, Any],
    tables: dict[str, list[dict[str, Any]]],
  ) -> None:
    self.path = pathlib.Path(path)
    self.description = description
    self.tables = tables

  @classmethod
  def read(cls, path: str | os.PathLike[str]) -> Results:
    content = json.loads(pathlib.Path(path).read_text("utf-8"))
    tables = content.pop("tables")
    return cls(path, content, tables)

  @classmethod
  def open(
    cls, path: str | os.PathLike[str], description: dict[str, Any]
  ) -> Results:
    """Results to add to: those at `path`, or new ones.

    Args:
      description: `machine` and `versions` of this run.

    Raises:
      ValueError: the results at `path` are of other versions, or of another
        machine: numbers of both in one file could not be compared.
    """
    today = datetime.date.today().isoformat()
    if not os.path.exists(path):
      return cls(path, {**description, "date": today}, {})
    results = cls.read(path)
    for key, value in description.items():
      if results.description[key] != value:
        raise ValueError(
          f"{path} was measured with {results.description[key]}, and this is "
          f"{value}: give another --output, or delete it"
        )
    results.description["date"] = today
    return results

  def forget(self, tables: Iterable[str], models: list[str]) -> None:
    """Drops the rows of these models, and those that are of no model."""
    for table in tables:
      self.tables[table] = [
        row
        for row in self.tables.get(table, [])
        if row.get("model", models[0]) not in models
      ]

  def add(self, table: str, row: dict[str, Any]) -> None:
    self.tables.setdefault(table, []).append(row)
    self._write()

  def rows(self, table: str, **values: Any) -> list[dict[str, Any]]:
    """The rows of a table that have these values."""
    return [
      row
      for row in self.tables.get(table, [])
      if all(row[key] == value for key, value in values.items())
    ]

  def names(self, table: str, key: str) -> list[Any]:
    """What the rows of a table have under `key`, each once."""
    return list(dict.fromkeys(row[key] for row in self.tables.get(table, [])))

  def _write(self) -> None:
    content = {**self.description, "tables": self.tables}
    self.path.parent.mkdir(parents=True, exist_ok=True)
    self.path.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
