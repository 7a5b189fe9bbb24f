# SPDX-License-Identifier: Apache-2.0
"""Values in a graph that are the same for all images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hub_image_export.graph.graph_defs import (
  constant_node,
  data_inputs,
  node_of,
  nodes_by_name,
  output_index,
  output_shape,
)
from hub_image_export.graph.program_order import drop_control_inputs
from hub_image_export.tensorflow_api import known_ops
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import GraphDef, NodeDef

# Of TensorFlow 1, which a session does not run in part.
_CONTROL_FLOW = frozenset(
  {"Enter", "Exit", "LoopCond", "Merge", "NextIteration", "Switch"}
)


def constant_values(
  graph_def: GraphDef,
  tensors: list[str],
  given: Mapping[str, NodeDef] | None = None,
) -> list[np.ndarray] | None:
  """The values of tensors; None if one depends on images or variables.

  Sizes of images count as constant where they are static. Placeholders with a
  default have it: nobody can feed them in a module.

  Args:
    graph_def: without calls of functions at its top, and with static shapes
      of the outputs.
    tensors: names.
    given: nodes that take the place of others, by name.
  """
  nodes = {**nodes_by_name(graph_def), **(given or {})}
  folded = GraphDef(versions=graph_def.versions, library=graph_def.library)
  pending, seen = [node_of(tensor) for tensor in tensors], set()
  while pending:
    name = pending.pop()
    if name in seen:
      continue
    seen.add(name)
    node = _static_size(nodes[name], nodes) or nodes[name]
    if (
      node.op == "Placeholder"
      or node.op in _CONTROL_FLOW
      or not known_ops.only_computes(node.op)
    ):
      return None
    copy = folded.node.add()
    copy.CopyFrom(node)
    copy.attr.pop("_output_shapes", None)  # Those given may have others.
    pending += map(node_of, data_inputs(node))
  drop_control_inputs(folded.node)
  with session_of(folded) as session:
    return session.run([t if ":" in t else f"{t}:0" for t in tensors])


def session_of(graph_def: GraphDef) -> Any:
  """A session for a graph on CPUs, whose nodes lose their devices."""
  for node in graph_def.node:
    node.device = ""
  with tf.Graph().as_default() as graph:
    tf.import_graph_def(graph_def, name="")
  return tf.compat.v1.Session(graph=graph)


def _static_size(node: NodeDef, nodes: dict[str, NodeDef]) -> NodeDef | None:
  """A constant for a size that is known, as `tf.shape(x)[1]` may be."""
  if node.op != "StridedSlice" or node.attr["shrink_axis_mask"].i != 1:
    return None
  source, begin = (nodes[node_of(tensor)] for tensor in node.input[:2])
  if source.op != "Shape" or begin.op != "Const":
    return None
  tensor = source.input[0]
  shape = output_shape(nodes[node_of(tensor)], output_index(tensor))
  axis = tf.make_ndarray(begin.attr["value"].tensor).tolist()
  if shape is None or len(axis) != 1 or shape[axis[0]] is None:
    return None
  dtype = tf.dtypes.as_dtype(node.attr["T"].type).as_numpy_dtype
  return constant_node(node.name, np.array(shape[axis[0]], dtype))
