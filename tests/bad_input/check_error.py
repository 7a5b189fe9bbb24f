# SPDX-License-Identifier: Apache-2.0
"""The form that every error about an argument has, in one place."""

from __future__ import annotations

import pathlib
import traceback

import pytest

import hub_image_export as hie

_PACKAGE = pathlib.Path(hie.__file__).parent
_KINDS = (TypeError, ValueError, hie.ImageExportError)
_LONGEST = 700
# What messages call an argument, where that is not its name.
_CALLED = {
  "checkpoint_path": "checkpoint",
  "checkpoint_prefix": "prefix",
  "export_path": "path",
  "name": "Application",
  "labels": "label",
  "outputs": "output",
  "publish_dir": "path",
}


def check_error(action, exception, words=(), name="", got=None):
  """Calls `action` and checks what it raises.

  The exception is one that callers can rely on, and comes from a line of this
  package: no assertion, no error of an attribute or a key, no trace of
  TensorFlow's inside. The message is short; it names the argument, and has
  what was got (one of the texts `got`) and all of `words`.
  """
  with pytest.raises(exception) as caught:
    action()
  assert isinstance(caught.value, _KINDS), repr(caught.value)
  assert not isinstance(caught.value, UnicodeError), repr(caught.value)
  last = traceback.extract_tb(caught.value.__traceback__)[-1]
  assert _PACKAGE in pathlib.Path(last.filename).parents, last
  check_message(str(caught.value), words, name, got)


def check_message(message, words=(), name="", got=None):
  """The part about the message, which scripts print as well."""
  assert "Traceback" not in message
  assert len(message) < _LONGEST, message
  called = {name, name.replace("_", " "), _CALLED.get(name, name)}
  assert any(text in message for text in called), message
  if got is not None:
    assert any(text in message for text in got), message
  for word in words:
    assert word in message, message
