"""What fails after the arguments were found good.

Wrong arguments raise `ValueError` or `TypeError`, as Python does.
"""

from __future__ import annotations


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
