# SPDX-License-Identifier: Apache-2.0
"""What is differentiated where gradients might not be the source's own."""

from __future__ import annotations

from typing import Any

import numpy as np

from hub_image_export import contract
from hub_image_export.graph.graph_defs import canonical
from hub_image_export.tensorflow_api import private
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tracing.image_function import ImageFunction


def objective_of(function: ImageFunction) -> Any:
  """A sum of all tasks' outputs, whose gradients are worth comparing."""
  if not gradients_are_touched(function):
    return None
  random = np.random.RandomState(5)
  weights = {
    f"{task}/{contract.DEFAULT_OUTPUT}": random.normal(size=width)
    for task, width in sorted(function.widths.items())
  }
  return lambda outputs: tf.add_n(
    [
      tf.reduce_sum(outputs[k] * w.astype(np.float32))
      for k, w in weights.items()
      if k in outputs
    ]
  )


def gradients_are_touched(function: ImageFunction) -> bool:
  """Whether gradients might not be those of the source's own ops.

  That is so where a trainable variable changes, a value is read after it was
  written, where a custom gradient was dropped (but for swish, whose own is the
  same but for rounding), and where other ops stand in the place of some, for
  TensorFlow 1.15.
  """
  training = function.variants[-1]
  return (
    bool(training.rewritten)
    or any(
      (node.op == "StopGradient" and "/value" in node.name)
      or (
        node.name in training.updates
        and training.variables[canonical(node.input[0])].trainable
      )
      for node in training.graph_def.node
    )
    or any(
      op.type == "IdentityN" and _has_custom_gradient(op) and not _is_swish(op)
      for op in function.reference.graph.get_operations()
    )
  )


def _has_custom_gradient(op: Any) -> bool:
  return private.CUSTOM_GRADIENT in op.node_def.attr


def _is_swish(op: Any) -> bool:
  """Whether the op stands for `x * sigmoid(x)`."""
  product = op.inputs[0].op
  return product.type == "Mul" and any(
    factor.op.type == "Sigmoid" for factor in product.inputs
  )
