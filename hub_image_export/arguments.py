# SPDX-License-Identifier: Apache-2.0
"""Checks of arguments: what was got, what is expected, what to do.

Each takes an argument's name and its value, and returns the value as the rest
of the package uses it; `TypeError` and `ValueError` are raised before any work
begins. Nothing heavy is imported: `--help` does not wait for TensorFlow.
"""

from __future__ import annotations

import contextlib
import difflib
import numbers
import os
from collections.abc import (
  Callable,
  Iterable,
  Iterator,
  Mapping,
  Sequence,
  Set as AbstractSet,
)
from typing import Any

_SHOWN = 80
_INT32_MAX = 2**31 - 1
# Bytes; of Linux, and of nearly all of its file systems.
_MAX_NAME, _MAX_PATH = 255, 4095


_write: Callable[..., str] | None = None


def called(argument: str, *value: Any) -> str:
  """How whoever reads a message writes an argument.

  That is `training` or, with a value, `training=False`; on the command line
  `--training` and `--notraining`. Each message that names an argument of a
  builder takes it from here.
  """
  if _write is not None:
    return _write(argument, *value)
  return f"{argument}={shown(value[0])}" if value else argument


@contextlib.contextmanager
def written_as(write: Callable[..., str]) -> Iterator[None]:
  """Lets `called` give what `write` gives, in the whole process."""
  global _write
  before, _write = _write, write
  try:
    yield
  finally:
    _write = before


def shown(value: Any) -> str:
  """`repr(value)` in one line of bounded length."""
  try:
    text = " ".join(repr(value).split("\n"))
  except Exception:  # Integers of 4300 digits, and whatever users wrote.
    text = f"<{type(value).__name__}>"
  return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def printable(text: str, kept: str = "") -> str:
  """`text` with escape sequences for all characters that are not printable.

  Those are line breaks, control characters, which a terminal would take for
  commands, and those that turn the direction of writing.

  Args:
    kept: characters that stay as they are, printable or not.
  """
  return "".join(
    c if c.isprintable() or c in kept else c.encode("unicode_escape").decode()
    for c in text
  )


def wrong_type(name: str, value: Any, expected: str) -> TypeError:
  return TypeError(
    f"{called(name)} is {shown(value)} of type {type(value).__name__}: "
    f"expected {expected}"
  )


def wrong_value(name: str, value: Any, expected: str) -> ValueError:
  return ValueError(f"{called(name)} is {shown(value)}: expected {expected}")


def check_bool(name: str, value: Any) -> bool:
  if not isinstance(value, bool):
    raise wrong_type(name, value, "True or False")
  return value


def check_size(name: str, value: Any) -> int:
  """A positive integer, NumPy's as well, that TensorFlow's int32 holds."""
  if isinstance(value, bool) or not isinstance(value, numbers.Integral):
    raise wrong_type(name, value, "a positive integer")
  if not 0 < int(value) <= _INT32_MAX:
    raise wrong_value(name, value, "a positive integer below 2**31")
  return int(value)


def check_image_size(height: Any, width: Any) -> tuple[int, int]:
  """Height and width in pixels; TensorFlow's kernels count in int32."""
  size = check_size("height", height), check_size("width", width)
  if size[0] * size[1] * 3 > _INT32_MAX:
    raise ValueError(
      f"{called('height')} is {size[0]} and {called('width')} is {size[1]}: "
      "expected images of less "
      "than 2**31 numbers, as many as TensorFlow can count. Are these pixels?"
    )
  return size


def is_number(value: Any) -> bool:
  """Whether it is a real number; True and False are none."""
  return isinstance(value, numbers.Real) and not isinstance(value, bool)


def check_fraction(name: str, value: Any, otherwise: str) -> float:
  """A number in [0, 1]; `otherwise` says what else could be there."""
  expected = f"a number in [0, 1], {otherwise}"
  if not is_number(value):
    raise wrong_type(name, value, expected)
  if not 0 <= float(value) <= 1:
    raise wrong_value(name, value, expected)
  return float(value)


def check_seconds(name: str, value: Any) -> float:
  """A positive number; infinity is one."""
  if not is_number(value):
    raise wrong_type(name, value, "a number of seconds > 0")
  try:
    seconds = float(value)
  except OverflowError:
    seconds = float("nan")
  if not seconds > 0:
    raise wrong_value(name, value, "a number of seconds > 0")
  return seconds


def is_unicode(text: str) -> bool:
  """Whether files and messages can hold it: lone surrogates they cannot."""
  try:
    text.encode()
  except UnicodeEncodeError:
    return False
  return True


def check_string(name: str, value: Any, expected: str = "a string") -> str:
  """A string that UTF-8 can hold; protocol buffers need that."""
  if not isinstance(value, str):
    raise wrong_type(name, value, expected)
  if not is_unicode(value):
    raise wrong_value(
      name, value, f"{expected} without lone surrogates. Read it as UTF-8"
    )
  return str.__str__(value)  # Subclasses, such as enums, may print otherwise.


def check_name(name: str, value: Any, expected: str) -> str:
  """A string in which there is something to see, and nothing invisible."""
  value = check_string(name, value, expected)
  if not value.strip() or not value.isprintable():
    raise wrong_value(name, value, f"{expected}, in printable characters")
  return value


def check_strings(name: str, value: Any) -> tuple[str, ...]:
  """Strings in a list or tuple; those of a set are sorted."""
  if isinstance(value, (str, bytes, bytearray)) or not isinstance(
    value, (Sequence, AbstractSet)
  ):
    raise wrong_type(name, value, "a list of strings")
  for item in value:
    if not isinstance(item, str) or not item:
      raise TypeError(
        f"{called(name)} has {shown(item)} of type {type(item).__name__}: "
        "expected a list of strings, none of them empty"
      )
  items = tuple(check_string(name, item) for item in value)
  return tuple(sorted(items)) if isinstance(value, AbstractSet) else items


def check_choice(name: str, value: Any, choices: Sequence[str]) -> str:
  """One of a few strings; the error names the nearest."""
  expected = f"one of {', '.join(map(repr, choices))}"
  if not isinstance(value, str):
    raise wrong_type(name, value, expected)
  if value not in choices:
    near = difflib.get_close_matches(value[:_SHOWN], choices, 1, 0.3)
    hint = f". Did you mean {near[0]!r}?" if near else ""
    raise wrong_value(name, value, expected + hint)
  return value


def check_path(name: str, value: Any, what: str = "a file or directory") -> str:
  """A path that the operating system can take, as a string."""
  expected = f"the path of {what}"
  if not isinstance(value, (str, os.PathLike)):
    raise wrong_type(name, value, f"{expected}, a string or pathlib.Path")
  path = os.fspath(value)
  if not isinstance(path, str):
    raise wrong_type(name, value, f"{expected}, not in bytes. Use os.fsdecode")
  try:
    encoded = os.fsencode(path)
  except UnicodeEncodeError:
    encoded = b""
  if not path:
    raise ValueError(
      f"{called(name)} is '', which is empty: expected {expected}"
    )
  if not encoded or b"\0" in encoded:
    raise wrong_value(name, path, f"{expected}, as file systems have it")
  longest = max(map(len, encoded.split(os.fsencode(os.sep))))
  if longest > _MAX_NAME or len(encoded) > _MAX_PATH:
    raise wrong_value(
      name,
      path,
      f"{expected}, of names of at most {_MAX_NAME} bytes, and {_MAX_PATH} in "
      f"all; it has {len(encoded)}, and a name of {longest}. Choose a shorter "
      "path",
    )
  return str.__str__(path)


def is_remote(path: str) -> bool:
  """Whether it is a URL, or the path of a remote file system."""
  return "://" in path


def check_local_path(
  name: str, value: Any, what: str = "a file or directory"
) -> str:
  """Like `check_path`; refuses URLs and the paths of remote file systems."""
  path = check_path(name, value, what)
  if is_remote(path):
    raise wrong_value(
      name, path, f"the path of {what} on this machine. Copy between machines"
    )
  return path


def check_function(name: str, value: Any, expected: str) -> None:
  if not callable(value) or isinstance(value, type):
    raise wrong_type(name, value, expected)


def check_mapping(name: str, value: Any) -> dict[str, str]:
  """A dict from strings to strings, none of them empty."""
  if not isinstance(value, Mapping):
    raise wrong_type(name, value, "a dict from strings to strings")
  for item in (*value.keys(), *value.values()):
    if not isinstance(item, str) or not item:
      raise TypeError(
        f"{called(name)} has {shown(item)} of type {type(item).__name__}: "
        "expected a dict from strings to strings, none of them empty"
      )
    check_string(name, item)
  return dict(value)


def check_known(given: Iterable[str], known: Sequence[str]) -> None:
  """Whether `**options` are arguments; the error names the nearest."""
  for name in given:
    if name not in known:
      near = difflib.get_close_matches(name, known, 1) or known
      raise TypeError(
        f"there is no argument {shown(name)}: did you mean {' or '.join(near)}?"
      )
