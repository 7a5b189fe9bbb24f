# SPDX-License-Identifier: Apache-2.0
"""What a user's code raised, and where.

TensorFlow and Keras wrap, translate and filter what is raised within their
calls, and put the places into texts.
"""

from __future__ import annotations

import os
import re
import sysconfig
import textwrap
import traceback
from typing import NamedTuple

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_STANDARD_LIBRARY = sysconfig.get_paths()["stdlib"]
# Whoever has a model did not write these.
_NOT_USERS = ("tensorflow", "keras", "tf_keras", "tensorflow_hub", "numpy")
_INSTALLED = re.compile(r"[\\/](?:site|dist)-packages[\\/]([^\\/]+)")
# Of AutoGraph: copies of the user's functions.
_GENERATED = "__autograph_generated_file"
_IN_USER_CODE = "in user code:"
_FILE = re.compile(r'^ *File "(.+?)", line (\d+), in (.+?) *\**$', re.MULTILINE)
_ARGUMENTS = re.compile(r"\s*(?:Call a|A)rguments received by ")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_LENGTH = 300


class _Frame(NamedTuple):
  file: str
  line: int
  function: str

  @property
  def is_users(self) -> bool:
    """Whether it is nobody's who has published it."""
    return (
      self.might_be_users
      and not _INSTALLED.search(self.file)
      and not self.file.startswith((_STANDARD_LIBRARY, "<frozen"))
    )

  @property
  def might_be_users(self) -> bool:
    installed = _INSTALLED.search(self.file)
    return not (
      self.file.startswith(_PACKAGE + os.sep)
      or _GENERATED in self.file
      or (installed and installed[1].startswith(_NOT_USERS))
    )

  def __str__(self) -> str:
    path = self.file
    if path.startswith(os.getcwd() + os.sep):
      path = os.path.relpath(path)
    return f"{path}:{self.line}, in {self.function}"


def raised(error: BaseException) -> str:
  """ "AttributeError: no 'foo' (nets.py:4, in helper)".

  The place is the last one outside of TensorFlow and this package: in the
  user's own files, if there is one, else in whatever library they called.
  """
  told = f"{type(error).__name__}: {_message(error)}"
  told = textwrap.shorten(told.rstrip(": "), _LENGTH, placeholder=" …")
  place = _place(error)
  return f"{told} ({place})" if place else told


def _message(error: BaseException) -> str:
  text = _ARGUMENTS.split(_COLOURS.sub("", str(error)))[0]
  if _IN_USER_CODE not in text:
    return text
  # It stands below the places, after the exception's name.
  *_, last = _FILE.finditer(text)
  below = text[last.end() :]
  _, found, message = below.partition(f" {type(error).__name__}: ")
  return message if found else below


def _place(error: BaseException) -> _Frame | None:
  frames = _frames(error)
  return next(
    (frame for frame in reversed(frames) if frame.is_users),
    next((frame for frame in reversed(frames) if frame.might_be_users), None),
  )


def _frames(error: BaseException) -> list[_Frame]:
  """The places that it went through, innermost last."""
  frames = [
    _Frame(f.filename, f.lineno or 0, f.name)
    for f in traceback.extract_tb(error.__traceback__)
  ]
  if isinstance(error, SyntaxError) and error.filename:
    frames.append(_Frame(error.filename, error.lineno or 0, "<module>"))
  # Functions that AutoGraph converted; a tf.function has only the text left.
  metadata = getattr(error, "ag_error_metadata", None)
  for f in reversed(getattr(metadata, "translated_stack", ())):
    frames.append(_Frame(f.filename, f.lineno, f.function_name))
  text = str(error)
  told = _FILE.findall(text) if _IN_USER_CODE in text else ()
  return frames + [_Frame(file, int(line), name) for file, line, name in told]
