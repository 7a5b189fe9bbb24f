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
  "trainable-differ": Rule(ERROR, "F3, T9"),
  "width-differs": Rule(ERROR, "C3, C6, T4, T5"),
  "signatures-differ": Rule(ERROR, "C10, H1"),
  "train-variant-pointless": Rule(ERROR, "F2"),
  # Signatures.
  "no-default-signature": Rule(ERROR, "C1, T14"),
  "no-task-signature": Rule(ERROR, "C1, C2, C6, T12"),
  "default-differs": Rule(ERROR, "C9, C10, T14"),
  "extra-input": Rule(ERROR, "C2, C6, H1"),
  # Calls and objects of the TF2 format.
  "not-callable": Rule(ERROR, "T1, T12"),
  "call-arguments": Rule(ERROR, "T1, T6"),
  "traces-missing": Rule(ERROR, "T6, T7"),
  "output-structure": Rule(ERROR, "T13"),
  "variables-unlisted": Rule(ERROR, "T8, T9, T10"),
  # Image input.
  "images-missing": Rule(ERROR, "C13, T2"),
  "images-dtype": Rule(ERROR, "C12, T2"),
  "images-rank": Rule(ERROR, "C12, T2"),
  "images-sparse": Rule(ERROR, "C12"),
  "images-batch-fixed": Rule(ERROR, "C14, T2"),
  "images-channels": Rule(ERROR, "C14, T2"),
  "channels-first": Rule(ERROR, "C17, T2"),
  "image-size-unknown": Rule(ERROR, "C15, C16"),
  "image-size-differs": Rule(ERROR, "C15, C16"),
  # Outputs.
  "output-missing": Rule(ERROR, "C3, C6"),
  "output-dtype": Rule(ERROR, "C3, C6, T4, T5"),
  "output-rank": Rule(ERROR, "C3, C4, C6, T4, T5"),
  "output-batch-fixed": Rule(ERROR, "C3, C6, T4, T5"),
  "output-width-unknown": Rule(ERROR, "C3, C6, T4, T5"),
  "endpoint-unprefixed": Rule(WARNING, "C10"),
  "probabilities": Rule(ERROR, "C4, C7, T5"),
  "dropout-on-output": Rule(ERROR, "C5, T4"),
  # Behaviour.
  "unloadable": Rule(ERROR, "F1"),
  "not-finite": Rule(ERROR, "C3, C6, T4, T5"),
  "not-deterministic": Rule(ERROR, "F2"),
  "batch-dependent": Rule(ERROR, "C14"),
  "size-dependent": Rule(ERROR, "C3, C15"),
  "input-ignored": Rule(ERROR, "C4"),
  "range-suspicious": Rule(WARNING, "C12, T2"),
  "golden-differs": Rule(ERROR, "F6"),
  # Fine-tuning.
  "no-update-ops": Rule(ERROR, "F4, T6"),
  "update-ops-dead": Rule(ERROR, "F4, T6"),
  "updates-trainable": Rule(ERROR, "F4, T9"),
  "updated-twice": Rule(ERROR, "F4"),
  "updates-without-asking": Rule(ERROR, "F4, T6, T14"),
  "unfed-placeholder": Rule(ERROR, "F4"),
  "not-differentiable": Rule(ERROR, "F5, T9"),
  "no-trainable-variables": Rule(WARNING, "F4, T9"),
  "penalty-ill-formed": Rule(ERROR, "F4, T10"),
  "penalties-differ": Rule(WARNING, "F4"),
  "bn-hparams-dead": Rule(ERROR, "H1, T11"),
  # Portability.
  "oldest-tensorflow": Rule(INFO, "F5"),
  "device-pinned": Rule(WARNING, "F5"),
  "unchecked": Rule(WARNING, "-"),
}
