"""All rules that need the files of a module and nothing else."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Callable

from hub_image_export.checker.judged import JudgedModule
from hub_image_export.checker.reading.checkpoint_rules import check_checkpoint
from hub_image_export.checker.reading.directory_rules import check_files
from hub_image_export.checker.reading.fine_tuning_rules import (
  check_fine_tuning,
  check_hyperparameters,
)
from hub_image_export.checker.reading.graph_rules import check_hermetic
from hub_image_export.checker.reading.input_rules import check_inputs
from hub_image_export.checker.reading.manifest_rules import check_manifest
from hub_image_export.checker.reading.oldest_tensorflow_rules import (
  check_portability,
)
from hub_image_export.checker.reading.output_rules import check_outputs
from hub_image_export.checker.reading.parsing import check_assets, read_module
from hub_image_export.checker.reading.signature_rules import check_signatures
from hub_image_export.checker.reading.variant_rules import check_variants
from hub_image_export.checker.report import Findings, Found

_GROUPS: tuple[Callable[[JudgedModule], Found], ...] = (
  check_hermetic,
  check_assets,
  check_checkpoint,
  check_variants,
  check_signatures,
  check_inputs,
  check_outputs,
  check_fine_tuning,
  check_hyperparameters,
  check_portability,
  check_manifest,
)


def check_static(directory: str, findings: Findings) -> JudgedModule | None:
  """Reads the module and applies every static rule.

  Returns:
    The module, or None where nothing of it can be read.
  """
  if not check_files(directory, findings):
    return None
  module = None
  with guarded("read module", findings):
    module = read_module(directory, findings)
  if module is not None:
    for group in _GROUPS:
      with guarded(group.__name__.replace("_", " "), findings):
        findings.extend(group(module))
  return module


@contextlib.contextmanager
def guarded(part: str, findings: Findings) -> Iterator[None]:
  """What is raised inside, about a bad module, is a finding.

  The protos come from elsewhere, and no list of the ways in which they can
  be nonsense is complete. A rule that gives up must not silence the others.
  """
  try:
    yield
  except Exception as error:  # noqa: BLE001
    text = (
      f"This part of the check gave up: {type(error).__name__}: {error}. The "
      "module's files are inconsistent. Export it again."
    )
    findings.add("corrupt-file", part, text)
