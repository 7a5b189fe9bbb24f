# SPDX-License-Identifier: Apache-2.0
"""What fails after the arguments were found good.

Wrong arguments raise `ValueError` or `TypeError`, as Python does.
"""

from __future__ import annotations

import re
import textwrap

# Nodes and ops of TensorFlow's own, around a message of eager execution.
_NODES = re.compile(r"^\{\{.*?\}\} *| *\[Op:.*$")
_LENGTH = 200


class ImageExportError(Exception):
  """Base class of this package's own exceptions."""


class SourceError(ImageExportError):
  """The user's function or model raised while it was being traced."""


class WeightsError(ImageExportError):
  """The values of the variables cannot be had, or cannot be published."""


class VerificationError(ImageExportError):
  """The module on disk does not compute what its source computes."""


class ExportError(ImageExportError):
  """The module cannot be written to the place asked for."""


class CheckError(ImageExportError):
  """The module breaks the contract, as `check_module` sees it."""


def reason(error: BaseException) -> str:
  """The line of an error's message that says what is wrong, not where."""
  message = getattr(error, "message", None) or str(error)
  lines = [line for line in message.splitlines() if line.strip()]
  lines = lines or [type(error).__name__]
  if len(lines) > 1 and lines[0].startswith("Graph execution error"):
    lines = [line for line in lines if not line.lstrip().startswith("[[")][-1:]
  return _NODES.sub("", lines[0])


def first_line(error: BaseException) -> str:
  """The reason in brief, to be put in brackets; Keras' can be pages."""
  line = textwrap.shorten(reason(error), _LENGTH, placeholder=" …")
  return line.removesuffix(".")


def extra_missing(what: str, extra: str, error: ImportError) -> ImportError:
  """What to raise where a library is not there that an extra brings.

  Args:
    what: cannot be done, or imported.
    extra: its name in `setup.py`.
    error: what the import raised.
  """
  command = f'pip install "hub_image_export[{extra}]"'
  return ImportError(f"{what} ({error}). Install it with:  {command}")
