# SPDX-License-Identifier: Apache-2.0
"""Ops through which TensorFlow has no gradient at all."""

from __future__ import annotations

from collections.abc import Iterable

from hub_image_export.graph.graph_defs import (
  ancestors,
  data_inputs,
  node_of,
  nodes_by_name,
  output_index,
)
from hub_image_export.graph.state_ops import READS
from hub_image_export.tensorflow_api import known_ops
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import GraphDef


def op_without_gradient(
  graph_def: GraphDef, outputs: Iterable[str]
) -> str | None:
  """An op that ends the gradients of outputs by variables with an error.

  Most ops have gradients: TensorFlow is asked only where one has none.
  """
  tensors = [f"{node_of(o)}:{output_index(o)}" for o in outputs]
  nodes = nodes_by_name(graph_def)
  suspects = [
    name
    for name in ancestors(graph_def, tensors)
    if data_inputs(nodes[name])
    and known_ops.exists_here(nodes[name].op)
    and not known_ops.has_gradient_here(nodes[name].op)
  ]
  if not suspects:
    return None
  with tf.Graph().as_default() as graph:
    found = tf.import_graph_def(graph_def, return_elements=tensors, name="")
    ops = graph.get_operations()
    reads = [op.outputs[0] for op in ops if op.type in READS]
    try:
      tf.compat.v1.gradients(found, reads)
    except LookupError as error:
      named = [name for name in suspects if repr(name) in str(error)]
      return f"{named[0]} ({nodes[named[0]].op})" if named else None
  return None
