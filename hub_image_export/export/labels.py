# SPDX-License-Identifier: Apache-2.0
"""Names of classes, as users give them: read and checked (C8)."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from typing import Any

from hub_image_export import arguments

# A million names; ImageNet's 21,841 take half a megabyte.
MAX_FILE_BYTES = 2**25
MAX_LENGTH = 1000


def resolve(labels: Any) -> tuple[str, ...] | None:
  """The names of the classes, in the order of their indices.

  Args:
    labels: a list of strings, the path of a UTF-8 text file with one class a
      line, or None.

  Raises:
    TypeError: it is something else.
    ValueError: there are blank or repeated names, or the file has no text.
  """
  if labels is None:
    return None
  name = "labels"
  if isinstance(labels, (str, os.PathLike)):
    path = arguments.check_local_path(name, labels, "a text file")
    labels, name = _read(path), f"labels in the file {arguments.shown(path)}"
  if not isinstance(labels, Sequence) or isinstance(labels, (bytes, bytearray)):
    raise arguments.wrong_type(
      "labels",
      labels,
      "a list of strings, or the path of a text file with one class a line",
    )
  if not labels:
    raise arguments.wrong_value(
      name, labels, "a name for each class: there are none"
    )
  labels = tuple(labels)
  _check(name, labels)
  return labels


def _read(path: str) -> list[str]:
  if os.path.exists(path) and not os.path.isfile(path):
    raise ValueError(f"the label file {path!r} is no file: expected one")
  try:
    size = os.path.getsize(path)
    if size > MAX_FILE_BYTES:
      raise ValueError(
        f"the label file {path!r} has {size} bytes: expected at most "
        f"{MAX_FILE_BYTES}, one name a line"
      )
    with open(path, encoding="utf-8-sig") as file:
      text = file.read()
  except UnicodeDecodeError as error:
    raise ValueError(
      f"labels is the file {path!r}, which is not UTF-8 ({error.reason} at "
      f"byte {error.start}): convert it"
    ) from error
  except OSError as error:
    raise ValueError(
      f"labels is the file {path!r}, which cannot be read: {error.strerror}"
    ) from error
  return text.removesuffix("\n").split("\n")


def _check(name: str, labels: tuple[Any, ...]) -> None:
  problems = []
  first: dict[str, int] = {}
  for i, label in enumerate(labels):
    problem = _problem(label)
    if problem:
      problems.append(f"label {i} {problem}")
    elif first.setdefault(label, i) != i:
      problems.append(
        f"labels {first[label]} and {i} are both {arguments.shown(label)}"
      )
  if problems:
    more = f" (and {len(problems) - 5} more)" if len(problems) > 5 else ""
    raise ValueError(f"{name}: " + "; ".join(problems[:5]) + more)


def _problem(label: Any) -> str | None:
  """What is wrong with one name: "is 3: expected a string"."""
  found = f"is {arguments.shown(label)}: expected"
  if not isinstance(label, str):
    return f"{found} a string"
  if not label.strip():
    return "is blank: expected a name"
  if len(label.splitlines()) > 1 or label != label.strip():
    return f"{found} one line, without blanks around it"
  if not arguments.is_unicode(label):
    return f"{found} text, as in UTF-8"
  if any(unicodedata.category(c) in ("Cc", "Cs") for c in label):
    return f"{found} no control characters"
  if len(label) > MAX_LENGTH:
    return f"has {len(label)} characters: expected at most {MAX_LENGTH}"
  return None


def check_width(labels: tuple[str, ...] | None, width: int) -> None:
  """Raises ValueError where there are not as many labels as classes."""
  if labels is not None and len(labels) != width:
    raise ValueError(
      f"there are {len(labels)} labels, and the network has {width} classes: "
      "expected one label for each, in order"
      + background_hint(len(labels), width)
    )


def background_hint(got: int, width: int) -> str:
  """The usual reason for a count that is off by one."""
  if width - got == 1:
    return (
      ". Does class 0 stand for the background? Then name it, as the "
      "1001 classes of ImageNet networks do"
    )
  if got - width == 1:
    return (
      ". Is a background class counted that the network does not have? "
      "ImageNet has 1000 classes without, 1001 with one"
    )
  return ""
