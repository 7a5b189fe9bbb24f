# SPDX-License-Identifier: Apache-2.0
"""What the package tells its user through the log."""

from __future__ import annotations

import logging


def messages_of(caplog, action, level=logging.INFO) -> list[str]:
  """The messages that `action` logs, from `level` on."""
  absl = logging.getLogger("absl")
  before, propagates = absl.level, absl.propagate
  caplog.clear()
  absl.addHandler(caplog.handler)
  absl.propagate = False
  absl.setLevel(level)
  try:
    action()
  finally:
    absl.removeHandler(caplog.handler)
    absl.setLevel(before)
    absl.propagate = propagates
  return [r.getMessage() for r in caplog.records if r.levelno >= level]


def warnings_of(caplog, action) -> list[str]:
  return messages_of(caplog, action, logging.WARNING)
