"""Excerpts of a graph: what computes some tensors from some others.

A session takes all of its graph, and gradients look at all that follows a
tensor. In an excerpt both have a few ops of a large network.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hub_image_export.graph.graph_defs import constant_node, node_of
from hub_image_export.tensorflow_api.private import copy_functions
from hub_image_export.tensorflow_api.protos import GraphDef


def excerpt(
  tensors: list[Any], values: dict[str, np.ndarray]
) -> tuple[GraphDef, list[str]]:
  """Takes out what computes tensors from constants.

  Control inputs are left out: the values may violate what they assert.

  Args:
    tensors: of one graph.
    values: for those of its tensors that become constants, by their names.

  Returns:
    The excerpt, and the names that the tensors have in it.
  """
  graph = tensors[0].graph
  graph_def = GraphDef(versions=graph.graph_def_versions)
  constants = {
    name: f"excerpt_constants/{i}:0" for i, name in enumerate(values)
  }
  graph_def.node.extend(
    constant_node(node_of(constants[name]), value)
    for name, value in values.items()
  )
  pending = [x.op for x in tensors if x.name not in constants]
  seen = set()
  while pending:
    op = pending.pop()
    if op.name in seen:
      continue
    seen.add(op.name)
    node = graph_def.node.add()
    node.CopyFrom(op.node_def)
    node.attr.pop("_class", None)  # Ops to be placed with may be left out.
    del node.input[:]
    node.input.extend(constants.get(x.name, x.name) for x in op.inputs)
    pending += [x.op for x in op.inputs if x.name not in constants]
  copy_functions(graph, graph_def)
  return graph_def, [constants.get(x.name, x.name) for x in tensors]
