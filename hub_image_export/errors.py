"""What fails after the arguments were found good.

Wrong arguments raise `ValueError` or `TypeError`, as Python does.
"""

from __future__ import annotations

import re
from typing import Any

# Nodes and ops of TensorFlow's own, around a message of eager execution.
_NODES = re.compile(r"^\{\{.*?\}\} *| *\[Op:.*$")


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


def reason(error: Any) -> str:
  """The line of a TensorFlow error that is not about where it happened."""
  lines = [line for line in error.message.splitlines() if line.strip()]
  if len(lines) > 1 and lines[0].startswith("Graph execution error"):
    lines = [line for line in lines if not line.lstrip().startswith("[[")][-1:]
  return _NODES.sub("", lines[0])
