# SPDX-License-Identifier: Apache-2.0
"""Ops that move numbers about and change none, and where they move them."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from hub_image_export.graph.graph_defs import (
  constant_node,
  data_inputs,
  descendants,
  node_of,
  nodes_by_name,
  output_index,
  output_shape,
  prune,
)
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import GraphDef, NodeDef

PASSES_ON = frozenset({"Identity", "IdentityN"})
# Each number of the output is one of an input's: of which inputs.
_FIRST, _ALL = slice(0, 1), slice(None)
_MOVING = {
  **dict.fromkeys(
    (
      *("BroadcastTo", "Cast", "CheckNumerics", "DepthToSpace", "EnsureShape"),
      *("ExpandDims", "Gather", "GatherNd", "GatherV2", "Identity"),
      *("PreventGradient", "Reshape", "ReverseV2", "Roll", "Slice", "Snapshot"),
      *("SpaceToDepth", "SplitV", "Squeeze", "StopGradient", "StridedSlice"),
      *("Tile", "Transpose", "Unpack"),
    ),
    _FIRST,
  ),
  "Concat": slice(1, None),
  "ConcatV2": slice(0, -1),
  "IdentityN": _ALL,
  "Pack": _ALL,
  "Split": slice(1, 2),
}


def moved(node: NodeDef) -> list[int]:
  """Indices of the inputs that an op does nothing to but move their numbers."""
  if node.op not in _MOVING or (node.op == "Cast" and not _is_of_reals(node)):
    return []
  return list(range(len(data_inputs(node))))[_MOVING[node.op]]


def _is_of_reals(cast: NodeDef) -> bool:
  types = (cast.attr[name].type for name in ("SrcT", "DstT"))
  return all(tf.dtypes.as_dtype(t).is_floating for t in types)


def keeps_rows(
  graph_def: GraphDef, sources: Collection[str], output: str
) -> bool:
  """Whether each row of an output is one whole row of a source, in any order.

  Seen by numbers that stand in the places of all that the sources give: what
  comes out are the places that it comes from.

  Args:
    graph_def: between these, all real numbers are only moved; with static
      shapes of the outputs. Sizes that vary are taken to be 1 or, the first
      one, 2: the batch's.
    sources: names of nodes.
    output: name of a node, with the shape `[batch_size, width]`.
  """
  numbered, count = GraphDef(versions=graph_def.versions), 0
  nodes = nodes_by_name(graph_def)
  width = (output_shape(nodes[output]) or [None])[-1]
  computed = descendants(graph_def, sources)
  for node in graph_def.node:
    if node.name in sources:
      shape = output_shape(node)
      if not shape or width is None or shape[-1] != width:
        return False
      places = np.arange(count, count + np.prod(_example(shape)), dtype=float)
      node = constant_node(node.name, places.reshape(_example(shape)))
      count += places.size
    elif node.op == "Shape" and node.name not in computed:
      node = _example_shape(node, nodes)
    numbered.node.add().CopyFrom(node)
  numbered = prune(numbered, [output])
  if any(node.op == "Placeholder" for node in numbered.node):
    return False
  for node in numbered.node:
    node.device = ""
    if node.name in computed and node.op != "Const":
      _use_doubles(node)
  rows = _evaluated(numbered, output)
  if rows is None or width is None or rows.shape != (2, width):
    return False
  first = rows.min(axis=1, keepdims=True) // width * width
  return np.array_equal(np.sort(rows, axis=1), first + np.arange(width))


def _example(shape: list[int | None]) -> list[int]:
  return [n or (1 if i else 2) for i, n in enumerate(shape)]


def _example_shape(node: NodeDef, nodes: dict[str, NodeDef]) -> NodeDef:
  """A constant in the place of a `Shape` of other parts of the network."""
  tensor = node.input[0]
  shape = output_shape(nodes[node_of(tensor)], output_index(tensor))
  if shape is None:
    return node
  dtype = tf.dtypes.as_dtype(node.attr["out_type"].type or tf.int32)
  return constant_node(
    node.name, np.array(_example(shape), dtype.as_numpy_dtype)
  )


def _use_doubles(node: NodeDef) -> None:
  """Lets an op take and give float64, which has all places exactly."""
  for value in node.attr.values():
    if tf.dtypes.as_dtype(value.type or tf.int32).is_floating:
      value.type = tf.float64.as_datatype_enum
    for i, dtype in enumerate(value.list.type):
      if tf.dtypes.as_dtype(dtype).is_floating:
        value.list.type[i] = tf.float64.as_datatype_enum


def _evaluated(graph_def: GraphDef, output: str) -> np.ndarray | None:
  """The value of an output, or None where it does not fit its example."""
  with tf.Graph().as_default() as graph:
    tf.import_graph_def(graph_def, name="")
  with tf.compat.v1.Session(graph=graph) as session:
    try:
      return session.run(f"{output}:0")
    except tf.errors.OpError:
      return None
