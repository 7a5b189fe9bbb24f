# SPDX-License-Identifier: Apache-2.0
"""What `run_module` prints: the answers to photos, as text and as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from hub_image_export import arguments
from hub_image_export.command_line import photo_flags, run as command_line


class Counter:
  """Paths and rows, counted on their way."""

  def __init__(self, rows: Iterable[tuple[str, Any]]) -> None:
    self._rows = rows
    self.count = self.broken = 0

  def __iter__(self) -> Iterator[tuple[str, Any]]:
    for path, row in self._rows:
      self.count += 1
      self.broken += row.error is not None
      yield path, row


def print_text(rows: Iterable[tuple[str, Any]], answers: Any) -> None:
  from hub_image_export.serving.answers import summary

  for path, row in rows:
    if row.error is not None:
      lines = [f"{path}: error: {row.error}"]
    elif answers.is_classifier:
      best = answers.top(row.values, photo_flags.TOP.value)
      lines = [path] + [f"  {s.score:9.4f}  {answers.name_of(s)}" for s in best]
    else:
      lines = [f"{path}: {summary(row.values)}"]
    print("\n".join(map(arguments.printable, lines)), flush=True)


def print_json(
  rows: Iterable[tuple[str, Any]], answers: Any, description: dict[str, Any]
) -> None:
  """One object; each image on a line of its own, as soon as it is known."""
  from hub_image_export.serving.answers import plain

  start = json.dumps({**description, "activation": answers.activation})
  print(start[:-1] + ', "images": [', end="")
  separator = "\n"
  for path, row in rows:
    item: dict[str, Any] = {"path": path}
    if row.error is not None:
      item["error"] = row.error
    elif answers.is_classifier:
      best = answers.top(row.values, photo_flags.TOP.value)
      item["top"] = [{**vars(s), "score": plain(s.score)} for s in best]
    else:
      item["values"] = plain(row.values)
    print(separator + json.dumps(item), end="", flush=True)
    separator = ",\n"
  print("\n]}")


def tell_output(count: int, broken: int) -> None:
  if photo_flags.FORMAT.value == "json":
    told = {
      "output": photo_flags.OUTPUT.value,
      "images": count,
      "errors": broken,
    }
    print(json.dumps(told))
  else:
    text = f"{count} rows, {broken} with errors: {photo_flags.OUTPUT.value}"
    print(command_line.for_terminal(text))


def tell_broken(count: int, broken: int) -> None:
  if broken:
    print(f"{broken} of {count} images could not be used", file=sys.stderr)
