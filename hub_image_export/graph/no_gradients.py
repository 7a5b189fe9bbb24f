# SPDX-License-Identifier: Apache-2.0
"""Ops through which TensorFlow has no gradient at all."""

from __future__ import annotations

from collections.abc import Iterable

from hub_image_export.graph.called_functions import calls_any, functions_with
from hub_image_export.graph.graph_defs import (
  ancestors,
  canonical,
  data_inputs,
  descendants,
  node_of,
  output_index,
  replace_inputs,
)
from hub_image_export.graph.state_ops import READS
from hub_image_export.tensorflow_api import known_ops
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import GraphDef, NodeDef


def op_without_gradient(
  graph_def: GraphDef, outputs: Iterable[str]
) -> str | None:
  """An op that ends the gradients of outputs by variables with an error.

  Most ops have gradients: TensorFlow is asked only where one has none.
  """
  tensors = [f"{node_of(o)}:{output_index(o)}" for o in outputs]
  nodes = {node.name: node for node in graph_def.node if _has_none(node)}
  behind = ancestors(graph_def, tensors) if nodes else set()
  suspects = [name for name in behind if name in nodes]
  if not suspects:
    return None
  with tf.Graph().as_default() as graph:
    found = tf.import_graph_def(
      _copy(graph_def), return_elements=tensors, name=""
    )
    ops = graph.get_operations()
    reads = [op.outputs[0] for op in ops if op.type in READS]
    try:
      tf.compat.v1.gradients(found, reads)
    except LookupError as error:
      named = [name for name in suspects if repr(name) in str(error)]
      return f"{named[0]} ({nodes[named[0]].op})" if named else None
  return None


def stop_before_weights(graph_def: GraphDef, weights: Iterable[str]) -> None:
  """Ends gradients behind ops that have none and that no weight reaches.

  Of what a function is called with TensorFlow takes all gradients, those by
  images, too, and fails where an op has none: in `tf.image.adjust_hue`, say.
  A model that is no function is trained without.

  Args:
    graph_def: changed in place.
    weights: names of the nodes that stand for variables.
  """
  ending = functions_with(graph_def, _has_none)
  suspects = {
    node.name
    for node in graph_def.node
    if _has_none(node) or calls_any(node, ending)
  }
  behind = descendants(graph_def, weights) if suspects else set()
  if suspects <= behind:
    return
  with tf.Graph().as_default() as graph:
    tf.import_graph_def(_copy(graph_def), name="")
  stopped, stand_ins = [], {}
  for op in graph.get_operations():
    # Lists of tensors, as loops have them, hand gradients on, too.
    lists = {t.op.name for t in op.inputs if t.dtype == tf.variant}
    if op.name in behind or suspects.isdisjoint({op.name, *lists}):
      continue
    suspects.add(op.name)
    for i, tensor in enumerate(op.outputs):
      if tensor.dtype.is_floating or tensor.dtype.is_complex:
        node = NodeDef(name=f"{op.name}/stopped_{i}", op="StopGradient")
        node.input.append(canonical(tensor.name))
        node.attr["T"].type = tensor.dtype.as_datatype_enum
        stopped.append(node)
        stand_ins[canonical(tensor.name)] = node.name
  replace_inputs(graph_def, stand_ins)
  graph_def.node.extend(stopped)


def _copy(graph_def: GraphDef) -> GraphDef:
  """For an import, which adds default values to the graph that it is given."""
  copy = GraphDef()
  copy.CopyFrom(graph_def)
  return copy


def _has_none(node: NodeDef) -> bool:
  return (
    known_ops.exists_here(node.op)
    and not known_ops.has_gradient_here(node.op)
    and bool(data_inputs(node))
  )
