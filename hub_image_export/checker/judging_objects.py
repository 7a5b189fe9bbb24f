# SPDX-License-Identifier: Apache-2.0
"""All rules for the TF2 format, reusable SavedModels, as `judging` for TF1."""

from __future__ import annotations

from collections.abc import Callable

from hub_image_export.checker.reading.object_description import (
  check_object_manifest,
  image_size,
)
from hub_image_export.checker.reading.object_rules import (
  check_objects,
  check_reaching_out,
)
from hub_image_export.checker.reading.oldest_tensorflow_rules import (
  check_object_portability,
)
from hub_image_export.checker.reading.saved_objects import (
  ReusableModule,
  callables,
)
from hub_image_export.checker.report import Findings, Found
from hub_image_export.checker.running.call_rules import check_plain_calls
from hub_image_export.checker.running.fine_tuning_rules import (
  check_object_gradients,
  check_object_penalties,
  check_training_calls,
)
from hub_image_export.checker.running.golden_rules import check_golden
from hub_image_export.checker.running.probe_images import MAX_PIXELS, SAME
from hub_image_export.checker.running.running_object import RunningObject
from hub_image_export.checker.running.serving_rules import check_served
from hub_image_export.tensorflow_api.compat import tf

# Errors after which it is not loaded, or there is nothing sensible to call.
_NOT_TO_BE_RUN = (
  "not-a-module", "corrupt-file", "not-hermetic", "not-callable",
  "call-arguments", "traces-missing", "images-missing", "images-dtype",
  "images-rank", "images-batch-fixed", "images-channels", "channels-first",
  "output-structure", "output-dtype",
)  # fmt: skip
OBJECT_GROUPS = (
  check_reaching_out,
  check_objects,
  check_object_portability,
  check_object_manifest,
)
_CALL_ERRORS = (
  tf.errors.OpError, ValueError, TypeError, RuntimeError, LookupError,
  NotImplementedError, AttributeError, AssertionError, OSError,
)  # fmt: skip


def run_objects(
  module: ReusableModule, findings: Findings, stage: Callable[[str], None]
) -> str | None:
  """Loads it, then calls and trains each of its callables a little.

  Returns:
    Why it is not run, if it is not.
  """
  for rule in _NOT_TO_BE_RUN:
    if findings.has(rule):
      return f"there is an error of {rule}"
  stage("loading the SavedModel")
  try:
    loaded = tf.saved_model.load(module.directory)
  except _CALL_ERRORS as error:
    findings.add("unloadable", "", _text(error))
    return "TensorFlow does not load it"
  size = image_size(module)
  if size[0] * size[1] > MAX_PIXELS:
    text = f"Images of {size} are not tried; too large."
    findings.add("unchecked", "", text)
    return "its images are too large"
  seen = set()
  tasks: dict[str, RunningObject] = {}
  for judged in callables(module.objects):
    node = judged.call.node if judged.call else None
    if node is None or node in seen:
      continue  # A second name of the same.
    seen.add(node)
    stage(f"calling {judged.where()}")
    try:
      running = RunningObject(loaded, judged)
      tasks[judged.task or ""] = running
      findings.extend(check_plain_calls(running, size, findings))
      findings.extend(check_served(loaded, running, size))
      findings.extend(check_training_calls(running, size, findings))
      findings.extend(check_object_gradients(running, size))
      if not findings.has("penalty-ill-formed"):
        findings.extend(check_object_penalties(running))
    except _CALL_ERRORS as error:
      findings.add("unloadable", judged.where(), _text(error))
  try:
    findings.extend(_check_golden(tasks, size, module.directory))
  except _CALL_ERRORS as error:
    findings.add("unloadable", "", _text(error))
  return None


def _check_golden(
  tasks: dict[str, RunningObject], size: tuple[int, int], directory: str
) -> Found:
  return check_golden(
    directory,
    size,
    lambda images: {
      task: running.ask(images) for task, running in tasks.items()
    },
    lambda task: tasks[task].judged.where() if task in tasks else task,
    max((running.same for running in tasks.values()), default=SAME),
  )


def _text(error: Exception) -> str:
  return (
    f"Loading or calling it fails: {type(error).__name__}: {error}"[:400]
    + ". Expected tf.saved_model.load to load it and calls to run on a CPU."
  )
