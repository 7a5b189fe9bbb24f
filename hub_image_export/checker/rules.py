# SPDX-License-Identifier: Apache-2.0
"""All rules: name, usual severity, and the requirements that they enforce.

Names are stable: consumers filter reports by them. `docs/rules.md` says what
each finds. The numbers are those of `docs/contract.md`.
"""

from __future__ import annotations

from typing import NamedTuple

ERROR = "error"
WARNING = "warning"
INFO = "info"
SEVERITIES = (ERROR, WARNING, INFO)


class Rule(NamedTuple):
  """One question to a module; `severity` is that of most of its findings."""

  severity: str
  requirement: str


# In the order of reports.
RULES = {
  # Files.
  "not-a-module": Rule(ERROR, "F1"),
  "unsafe-archive": Rule(ERROR, "F1"),
  "missing-module-def": Rule(ERROR, "F1"),
  "corrupt-file": Rule(ERROR, "F1"),
  "missing-variables": Rule(ERROR, "F3"),
  "missing-asset": Rule(ERROR, "F1"),
  "unexpected-file": Rule(ERROR, "F1"),
  "not-hermetic": Rule(ERROR, "F5"),
  "refused-collection": Rule(ERROR, "F1"),
  "manifest-differs": Rule(ERROR, "F6"),
  # Variants.
  "no-inference-variant": Rule(ERROR, "F2"),
  "unknown-variant": Rule(ERROR, "F2"),
  "variables-differ": Rule(ERROR, "F3"),
  "trainable-differ": Rule(ERROR, "F3"),
  "width-differs": Rule(ERROR, "C3, C6"),
  "signatures-differ": Rule(ERROR, "C10, H1"),
  "train-variant-pointless": Rule(ERROR, "F2"),
  # Signatures.
  "no-default-signature": Rule(ERROR, "C1"),
  "no-task-signature": Rule(ERROR, "C1, C2, C6"),
  "default-differs": Rule(ERROR, "C9, C10"),
  "extra-input": Rule(ERROR, "C2, C6, H1"),
  # Image input.
  "images-missing": Rule(ERROR, "C13"),
  "images-dtype": Rule(ERROR, "C12"),
  "images-rank": Rule(ERROR, "C12"),
  "images-sparse": Rule(ERROR, "C12"),
  "images-batch-fixed": Rule(ERROR, "C14"),
  "images-channels": Rule(ERROR, "C14"),
  "channels-first": Rule(ERROR, "C17"),
  "image-size-unknown": Rule(ERROR, "C15, C16"),
  "image-size-differs": Rule(ERROR, "C15, C16"),
  # Outputs.
  "output-missing": Rule(ERROR, "C3, C6"),
  "output-dtype": Rule(ERROR, "C3, C6"),
  "output-rank": Rule(ERROR, "C3, C4, C6"),
  "output-batch-fixed": Rule(ERROR, "C3, C6"),
  "output-width-unknown": Rule(ERROR, "C3, C6"),
  "endpoint-unprefixed": Rule(WARNING, "C10"),
  "probabilities": Rule(ERROR, "C4, C7"),
  "dropout-on-output": Rule(ERROR, "C5"),
  # Behaviour.
  "unloadable": Rule(ERROR, "F1"),
  "not-finite": Rule(ERROR, "C3, C6"),
  "not-deterministic": Rule(ERROR, "F2"),
  "batch-dependent": Rule(ERROR, "C14"),
  "size-dependent": Rule(ERROR, "C3, C15"),
  "input-ignored": Rule(ERROR, "C4"),
  "range-suspicious": Rule(WARNING, "C12"),
  "golden-differs": Rule(ERROR, "F6"),
  # Fine-tuning.
  "no-update-ops": Rule(ERROR, "F4"),
  "update-ops-dead": Rule(ERROR, "F4"),
  "updates-trainable": Rule(ERROR, "F4"),
  "updated-twice": Rule(ERROR, "F4"),
  "updates-without-asking": Rule(ERROR, "F4"),
  "unfed-placeholder": Rule(ERROR, "F4"),
  "not-differentiable": Rule(ERROR, "F5"),
  "no-trainable-variables": Rule(WARNING, "F4"),
  "penalty-ill-formed": Rule(ERROR, "F4"),
  "penalties-differ": Rule(WARNING, "F4"),
  "bn-hparams-dead": Rule(ERROR, "H1"),
  # Portability.
  "oldest-tensorflow": Rule(INFO, "F5"),
  "device-pinned": Rule(WARNING, "F5"),
  "unchecked": Rule(WARNING, "-"),
}
