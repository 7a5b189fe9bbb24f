# SPDX-License-Identifier: Apache-2.0
"""Names of classes, as users give them: read and checked (C8)."""

from __future__ import annotations

import collections
import json
import numbers
import os
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from absl import logging

from hub_image_export import arguments

# A million names; ImageNet's 21,841 take half a megabyte.
MAX_FILE_BYTES = 2**25
MAX_LENGTH = 1000
_SHOWN = 5
_EXPECTED = (
  "the names of the classes in order: a list, a dict by index, or the path of "
  "a text file with one class a line or of a JSON file"
)
# Under this key Hugging Face's config.json has them.
_ID_TO_LABEL = "id2label"


def resolve(labels: Any) -> tuple[str, ...] | None:
  """The names of the classes, in the order of their indices.

  Args:
    labels: the names in a list, or in a NumPy array or whatever has `tolist`;
      a dict by index (`{0: "cat"}`, also `{"0": "cat"}`), as Keras'
      generators have it (`{"cat": 0}`), or as imagenet_class_index.json
      (`{"0": ["n02123045", "cat"]}`); bytes in UTF-8 for any name; the path of
      a text file with one class a line, or of a JSON file with one of these;
      or None.

  Raises:
    TypeError: it is something else.
    ValueError: there are blank names, indices are missing, or the file has no
      text.
  """
  if labels is None:
    return None
  name = arguments.called("labels")
  if isinstance(labels, (str, os.PathLike)):
    path = arguments.check_local_path("labels", labels, "a text or JSON file")
    labels, name = _read(path), f"{name} in the file {arguments.shown(path)}"
  labels = _in_order(name, _plain(labels))
  if not labels:
    raise arguments.wrong_value(
      name, labels, "a name for each class: there are none"
    )
  labels = tuple(map(_decoded, labels))
  _check(name, labels)
  return labels


def warn_of_repetitions(labels: Sequence[str] | None) -> None:
  """Warns where a name alone does not say which class is meant (C8)."""
  places = collections.defaultdict(list)
  for i, label in enumerate(labels or ()):
    places[label].append(i)
  repeated = {label: at for label, at in places.items() if len(at) > 1}
  if repeated:
    told = [
      f"{arguments.shown(label)} (classes {' and '.join(map(str, at[:9]))})"
      for label, at in list(repeated.items())[:_SHOWN]
    ]
    logging.warning(
      "Names of several classes: %s%s (%d in all). Consumers who look for one "
      "find one class; give each class a name of its own if you can",
      ", ".join(told),
      ", …" if len(repeated) > _SHOWN else "",
      len(repeated),
    )


def _read(path: str) -> Any:
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
      f"{arguments.called('labels')} is the file {path!r}, which is not UTF-8 "
      f"({error.reason} at byte {error.start}): expected UTF-8. Convert it"
    ) from error
  except OSError as error:
    raise ValueError(
      f"{arguments.called('labels')} is the file {path!r}, which cannot be "
      f"read ({error.strerror}): expected a text file with one class a line"
    ) from error
  if path.endswith(".json"):
    return _parsed(path, text)
  return [line.strip() for line in text.rstrip().split("\n")]


def _parsed(path: str, text: str) -> Any:
  try:
    content = json.loads(text)
  except (RecursionError, ValueError) as error:
    raise ValueError(
      f"{arguments.called('labels')} is the file {path!r}, which is no JSON "
      f"({error}): expected a list of names, or an object by index"
    ) from error
  if isinstance(content, dict):
    content = content.get(_ID_TO_LABEL, content)
  if not isinstance(content, (dict, list)):
    raise arguments.wrong_value("labels", content, _EXPECTED)
  return content


def _plain(labels: Any) -> Any:
  """Lists and dicts as they are; arrays, tensors and columns as lists."""
  if hasattr(labels, "numpy") and not isinstance(labels, type):
    labels = labels.numpy()
  if hasattr(labels, "tolist") and not isinstance(labels, type):
    labels = labels.tolist()
  if isinstance(labels, (bytes, bytearray)) or not isinstance(
    labels, (Sequence, Mapping)
  ):
    raise arguments.wrong_type("labels", labels, _EXPECTED)
  return labels


def _in_order(name: str, labels: Any) -> Sequence[Any]:
  """The names of a dict by their indices, which have to be all."""
  if not isinstance(labels, Mapping):
    return labels
  indices = [_index(key) for key in labels]
  names = list(labels.values())
  if names and None not in map(_integer, names):  # {"cat": 0}
    indices, names = [_integer(n) for n in names], list(labels)
  # Keras: {"0": ["n01440764", "tench"]}.
  names = [
    n[1] if isinstance(n, (list, tuple)) and len(n) == 2 else n for n in names
  ]
  if set(indices) != set(range(len(labels))):
    missing = sorted(set(range(len(labels))) - set(indices))
    raise ValueError(
      f"{name} is {arguments.shown(dict(labels))}: expected the indices 0 to "
      f"{len(labels) - 1}, one name for each; {missing[:_SHOWN]} are missing"
    )
  by_index = dict(zip(indices, names))
  return [by_index[i] for i in range(len(labels))]


def _index(key: Any) -> int | None:
  """An index, also in digits as JSON has it."""
  if isinstance(key, str) and key.isdecimal() and len(key) < 10:
    return int(key)
  return _integer(key)


def _integer(value: Any) -> int | None:
  whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
  return int(value) if whole else None


def _decoded(label: Any) -> Any:
  """Bytes as text, where they are UTF-8."""
  try:
    return label.decode() if isinstance(label, bytes) else label
  except UnicodeDecodeError:
    return label


def _check(name: str, labels: tuple[Any, ...]) -> None:
  problems = [
    f"label {i} {problem}"
    for i, label in enumerate(labels)
    if (problem := _problem(label))
  ]
  if problems:
    more = len(problems) - _SHOWN
    raise ValueError(
      f"{name}: "
      + "; ".join(problems[:_SHOWN])
      + (f" (and {more} more)" if more > 0 else "")
    )


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
