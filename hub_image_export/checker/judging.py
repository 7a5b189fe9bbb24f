# SPDX-License-Identifier: Apache-2.0
"""All rules, applied to a module: first to its files, then by running it."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Sequence
from typing import Any, Callable, NamedTuple

from hub_image_export import contract
from hub_image_export.checker.judged import JudgedModule, JudgedSignature
from hub_image_export.checker.judging_objects import (
  OBJECT_GROUPS,
  run_objects,
)
from hub_image_export.checker.reading.checkpoint_rules import check_checkpoint
from hub_image_export.checker.reading.description import describe
from hub_image_export.checker.reading.directory_rules import check_files
from hub_image_export.checker.reading.fine_tuning_rules import (
  check_fine_tuning,
  check_hyperparameters,
)
from hub_image_export.checker.reading.graph_rules import (
  check_hermetic,
  may_reach_out,
)
from hub_image_export.checker.reading.input_rules import check_inputs
from hub_image_export.checker.reading.manifest_rules import check_manifest
from hub_image_export.checker.reading.object_description import (
  describe_objects,
)
from hub_image_export.checker.reading.oldest_tensorflow_rules import (
  check_portability,
)
from hub_image_export.checker.reading.output_rules import check_outputs
from hub_image_export.checker.reading.parsing import check_assets, read_module
from hub_image_export.checker.reading.saved_objects import ReusableModule
from hub_image_export.checker.reading.signature_rules import check_signatures
from hub_image_export.checker.reading.update_rules import check_updates
from hub_image_export.checker.reading.variant_rules import check_variants
from hub_image_export.checker.report import Findings, Found
from hub_image_export.checker.running import beside
from hub_image_export.checker.running.behaviour_rules import check_behaviour
from hub_image_export.checker.running.first_ops import (
  check_same_scaling,
  first_ops_of,
)
from hub_image_export.checker.running.golden_rules import check_golden
from hub_image_export.checker.running.penalty_rules import (
  check_penalties,
  check_same_penalties,
)
from hub_image_export.checker.running.probe_images import MAX_PIXELS
from hub_image_export.checker.running.running_variant import (
  RunningVariant,
  load_with_hub,
  plain_signature,
)
from hub_image_export.checker.running.training_rules import (
  check_gradients,
  check_training,
)
from hub_image_export.tensorflow_api.compat import hub, tf

_GROUPS: tuple[Callable[[JudgedModule], Found], ...] = (
  check_hermetic,
  check_assets,
  check_checkpoint,
  check_variants,
  check_signatures,
  check_inputs,
  check_outputs,
  check_updates,
  check_fine_tuning,
  check_hyperparameters,
  check_portability,
  check_manifest,
)
# Errors after which hub.Module is known to fail, or must not be tried.
_NOT_TO_BE_LOADED = (
  "not-a-module", "missing-module-def", "corrupt-file", "missing-variables",
  "missing-asset", "not-hermetic", "refused-collection", "unloadable",
)  # fmt: skip
# Errors after which there is nothing sensible to feed.
_NOT_TO_BE_RUN = (
  "images-missing", "images-dtype", "images-rank", "images-sparse",
  "images-batch-fixed", "images-channels", "channels-first",
  "image-size-unknown", "image-size-differs", "output-missing",
  "output-dtype", "unfed-placeholder",
)  # fmt: skip

_TF_ERRORS = (
  tf.errors.OpError, ValueError, TypeError, RuntimeError, LookupError,
  NotImplementedError, AttributeError, IndexError, AssertionError, OSError,
)  # fmt: skip


def check(
  directory: str,
  static: bool,
  findings: Findings,
  stage: Callable[[str], None],
) -> dict[str, Any]:
  """Checks a directory in this process.

  Args:
    directory: a module's directory, or something taken for one.
    static: whether to run nothing.
    findings: gets what was found.
    stage: called with the name of each part before it starts, so that a
      crash can be told with its place.

  Returns:
    The summary; empty where there is no module.
  """
  stage("reading the files")
  if not check_files(directory, findings):
    return {}
  module = None
  with _guarded("read module", findings):
    module = read_module(directory, findings)
  if isinstance(module, ReusableModule):
    format_: _Format = _TF2
  elif module is not None:
    format_ = _TF1
  else:
    return {}
  for group in format_.groups:
    with _guarded(group.__name__.replace("_", " "), findings):
      findings.extend(group(module))
  summary: dict[str, Any] = {}
  with _guarded("summarise", findings):
    summary = format_.describe(module)
  if not static:
    reason = format_.run(module, findings, stage)
    if summary:
      summary.update(ran=reason is None, why_not_run=reason)
  if findings.omitted and summary:
    summary["omitted_findings"] = dict(findings.omitted)
  return summary


@contextlib.contextmanager
def _guarded(part: str, findings: Findings) -> Iterator[None]:
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


def _check_by_running(
  module: JudgedModule, findings: Findings, stage: Callable[[str], None]
) -> str | None:
  """Applies the rules that need a session; says why not, if it does not."""
  reason = _first_error(_NOT_TO_BE_LOADED, findings)
  if reason:
    return reason
  if may_reach_out(module):
    return "it has ops that could touch files, though nothing needs them"
  if len({variant.tags for variant in module.variants}) < len(module.variants):
    return "two variants have the same tags"
  stage("loading the module")
  try:
    spec = hub.load_module_spec(module.directory)
  except _TF_ERRORS as error:
    findings.add("unloadable", "", _text(error))
    return "tensorflow_hub does not load it"
  reason = _first_error(_NOT_TO_BE_RUN, findings)
  if reason:
    return reason
  size = module.main.image_size
  if size is None or size[0] * size[1] > MAX_PIXELS:
    text = f"Images of {size} are not tried; too large or unknown."
    findings.add("unchecked", "", text)
    return "its images are too large"
  _run_variants(module, spec, size, findings, stage)
  return None


def _first_error(rules: tuple[str, ...], findings: Findings) -> str | None:
  for rule in rules:
    if findings.has(rule):
      return f"there is an error of {rule}"
  return None


def _run_variants(
  module: JudgedModule,
  spec: Any,
  size: tuple[int, int],
  findings: Findings,
  stage: Callable[[str], None],
) -> None:
  variants = [v for v in (module.inference, module.train) if v is not None]
  signatures = [s for v in variants if (s := plain_signature(v)) is not None]
  penalties = []
  for signature in signatures:
    variant = signature.variant
    stage(f"running {variant.where()}")
    # What is found while hub loads the module counts if that succeeds.
    loading, draft = None, findings
    if signature is signatures[0]:
      loading = beside.begin(functools.partial(_load, spec, signature))
      draft = findings.draft()
    found = None
    try:
      with RunningVariant(spec, signature) as running:
        if variant is module.inference:
          draft.extend(check_behaviour(running, size, draft))
          draft.extend(_check_golden(running, size, module.directory))
        else:
          draft.extend(check_training(running, size, draft))
        found = draft.extend(check_penalties(running, size))
        if variant is variants[-1]:
          draft.extend(check_gradients(running))
    except _TF_ERRORS as error:
      draft.add("unloadable", variant.where(), _text(error))
    problem = loading() if loading else ""
    if problem:
      findings.add("unloadable", variant.where(), problem)
      continue
    findings.accept(draft)
    penalties += [found] if found is not None else []
  if len(penalties) == 2:
    findings.extend(check_same_penalties(*penalties))
    inference, train = map(first_ops_of, signatures)
    place = signatures[1].where(contract.IMAGES)
    findings.extend(check_same_scaling(inference, train, size, place))


def _load(spec: Any, signature: JudgedSignature) -> str:
  """Why hub.Module does not load the module; empty if it does."""
  try:
    load_with_hub(spec, signature)
  except _TF_ERRORS as error:
    return _text(error)
  return ""


def _check_golden(
  running: RunningVariant, size: tuple[int, int], directory: str
) -> Found:
  # All outputs: TensorFlow prepares the graph anew for other fetches.
  outputs, place = running.outputs(), running.variant.where()
  return check_golden(
    directory,
    size,
    lambda images: running.run(outputs, images),
    lambda task: f'{place}, signature "{task}"',
    running.same,
  )


def _text(error: Exception) -> str:
  reason = str(getattr(error, "message", None) or error)
  return (
    f"Loading or running it fails: {type(error).__name__}: {reason}"[:400]
    + ". Expected hub.Module to load it and a session to run it on a CPU."
  )


class _Format(NamedTuple):
  """How a format is judged; `run` says why it does not, if it does not."""

  groups: Sequence[Callable[[Any], Found]]
  describe: Callable[[Any], dict[str, Any]]
  run: Callable[[Any, Findings, Callable[[str], None]], str | None]


_TF1 = _Format(_GROUPS, describe, _check_by_running)
_TF2 = _Format(OBJECT_GROUPS, describe_objects, run_objects)
