# SPDX-License-Identifier: Apache-2.0
"""The libraries that only publishing needs."""

from __future__ import annotations

import importlib
from typing import Any

from hub_image_export.errors import extra_missing


def need(library: str, purpose: str) -> Any:
  """Imports a library.

  Raises:
    ImportError: it cannot be imported; the message says how to install it.
  """
  try:
    return importlib.import_module(library)
  except ImportError as error:
    what = f"{purpose} need {library}, which cannot be imported"
    raise extra_missing(what, "publish", error) from error
