# SPDX-License-Identifier: Apache-2.0
"""The procedure of an export: write, verify, describe, check, put in place."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import Any

from absl import logging

from hub_image_export import progress
from hub_image_export.arguments import called
from hub_image_export.checker import Begin, Report, checked_beside
from hub_image_export.errors import CheckError
from hub_image_export.export import formats, golden, manifest, verification
from hub_image_export.export.formats import Format
from hub_image_export.export.summary import Summary
from hub_image_export.files.staging import Staging
from hub_image_export.tensorflow_api.runtime import run_eagerly
from hub_image_export.tensorflow_api.types import ModuleSpec
from hub_image_export.tracing.interpreter import (
  full_collections_paused,
  with_room,
)
from hub_image_export.tracing.variable_table import check_replicas
from hub_image_export.weights import checkpoint_writer
from hub_image_export.weights.variable import handle_of


def export(
  spec: ModuleSpec,
  path: str | os.PathLike[str],
  *,
  overwrite: bool,
  verify: bool,
  check: bool,
  module_format: Format = formats.HUB,
) -> Summary:
  """Writes a module; the arguments are those of `ImageModuleSpec.export`.

  Args:
    spec: an `ImageModuleSpec`.
    module_format: that of the module.
  """
  beside: contextlib.AbstractContextManager[Begin | None]
  beside = checked_beside() if check else contextlib.nullcontext()
  with beside as begin_check, full_collections_paused():
    return run_eagerly(
      lambda: _export(spec, path, overwrite, verify, begin_check, module_format)
    )


@with_room
def _export(
  spec: ModuleSpec,
  path: str | os.PathLike[str],
  overwrite: bool,
  verify: bool,
  begin_check: Begin | None,
  module_format: Format,
) -> Summary:
  function, interface = spec.function, spec.interface
  _tell_of_initial_values(function)
  summary = Summary.start(spec, module_format)
  staging = Staging(path, overwrite=overwrite)
  report: Callable[[], Report] | None = None

  def complete(module: Any = None) -> None:
    """The last files; they are checked while verification goes on."""
    nonlocal report
    if module is not None:
      size = interface.height, interface.width
      golden.record(manifest.extra_assets(staging.path), module, size)
    manifest.write_manifest(staging.path, function, interface)
    report = begin_check and begin_check(staging.path)

  for variable in function.variables:
    if variable.stored is None:  # Training may have gone on since.
      check_replicas(variable.source)
  checkpoint_writer.check_finite(function.variables)
  with staging:
    with summary.phase("write"):
      module_format.write(staging.path, spec)
      manifest.write_labels(staging.path, interface.labels)
    with staging.flushed_meanwhile():
      if verify:
        progress.tell("Verifying the module")
        with summary.phase("verify"):
          verified = verification.verify(
            staging.path,
            function,
            interface,
            then=complete,
            loader=module_format.loader(),
          )
          summary.differences = verified.differences
          summary.notes = verified.notes
      else:
        with summary.phase("manifest"):
          complete()
    if report is not None:
      progress.tell("Checking the module")
      with summary.phase("check"):
        summary.report = _without_errors(report())
    summary.finish(os.fspath(path), staging.path, verified=verify)
    staging.commit()
  return summary


def _tell_of_initial_values(function: Any) -> None:
  first = set(map(id, function.plan.source.initial))
  made = [
    v
    for v in function.variables
    if (v.source.name in function.initial or id(handle_of(v.source)) in first)
    and v.stored is None
  ]
  if made:
    logging.warning(
      "%s makes %d variables itself: the module has their initial values. Are "
      "these the trained ones? If not, give %s",
      function.name[0].upper() + function.name[1:],
      len(made),
      called("checkpoint_path"),
    )


def _without_errors(report: Report) -> Report:
  if report.errors:
    found = "; ".join(
      f"{finding.rule}: {finding.message}" for finding in report.errors[:5]
    )
    raise CheckError(
      f"the module breaks the contract, and is not written: {found}"
    )
  return report
