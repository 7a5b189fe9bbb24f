# SPDX-License-Identifier: Apache-2.0
"""The ways from a ready Keras model to a module on disk, and their floor."""

from __future__ import annotations

import os
from typing import Any

from benchmarks import by_hand
from benchmarks.measure import Phases
from benchmarks.models import Case
from hub_image_export.export import builders
from hub_image_export.tensorflow_api.compat import hub, tf


def ours(
  fn: Any,
  size: int,
  path: str,
  phases: Phases,
  module_format: str = "hub",
  **options,
) -> None:
  """This package; `options` are those of `spec.export`."""
  wrap = phases.calls_of(tf.compat.v1, "wrap_function", "wrap")
  create_spec = phases.calls_of(hub, "create_module_spec", "spec")
  with wrap, create_spec:
    spec = builders.make_feature_vector_module(fn, size, size)
  exports = {"hub": spec.export, "saved_model": spec.export_saved_model}
  summary = exports[module_format](path, **options)
  phases.seconds.update(summary.seconds)


def trace_both(model: Any, case: Case) -> None:
  """Traces both variants, as cheaply as can be."""
  images = tf.TensorSpec([None, case.size, case.size, 3], tf.float32)
  for training in (False, True):
    tf.compat.v1.wrap_function(
      lambda x, training=training: model(x, training=training), [images]
    )


def floor(model: Any, case: Case, path: str, phases: Phases) -> None:
  """Tracing both variants, writing the bytes, and nothing else.

  It leaves no module, but a checkpoint.
  """
  with phases("wrap"):
    trace_both(model, case)
  with phases("write"):
    os.makedirs(path)
    tf.raw_ops.SaveV2(
      prefix=os.path.join(path, "variables"),
      tensor_names=[f"variable{i}" for i in range(len(model.weights))],
      shape_and_slices=[""] * len(model.weights),
      tensors=[tf.convert_to_tensor(weight) for weight in model.weights],
    )


def _ours(**options):
  def export(model: Any, case: Case, path: str, phases: Phases) -> None:
    ours(model, case.size, path, phases, **options)

  return export


WAYS = {
  "ours": _ours(verify=False),
  "verified": _ours(),
  "checked": _ours(check=True),
  "by_hand": by_hand.export,
  "floor": floor,
}
