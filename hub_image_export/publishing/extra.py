# SPDX-License-Identifier: Apache-2.0
"""The libraries that only publishing needs."""

from __future__ import annotations

import importlib
from typing import Any

_PIP = 'pip install "hub_image_export[publish]"'


def need(library: str, purpose: str) -> Any:
  """Imports a library.

  Raises:
    ImportError: it cannot be imported; the message says how to install it.
  """
  try:
    return importlib.import_module(library)
  except ImportError as error:
    raise ImportError(
      f"{purpose} need {library}, which cannot be imported ({error}). Install "
      f"it with:  {_PIP}"
    ) from error
