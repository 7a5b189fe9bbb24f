# SPDX-License-Identifier: Apache-2.0
"""Control flow that is the same for all images is no control flow."""

from __future__ import annotations

from hub_image_export.graph.branches import drop_dead_ops, taken
from hub_image_export.graph.graph_defs import replace_nodes
from hub_image_export.graph.inline import inline_calls
from hub_image_export.graph.unroll import rounds
from hub_image_export.tensorflow_api.protos import GraphDef, NodeDef


def without_fixed_flow(graph_def: GraphDef) -> GraphDef:
  """Returns the graph with branches that are always taken, and rounds of loops.

  What stands within branches and loops that stay is left as it is.

  Args:
    graph_def: is changed; without calls of functions at its top, and with
      static shapes of the outputs.
  """
  while True:
    drop_dead_ops(graph_def)
    nodes: list[NodeDef] = []
    is_changed = False
    for node in graph_def.node:
      call = taken(graph_def, node)
      calls = [call] if call else rounds(graph_def, node)
      is_changed = is_changed or bool(calls)
      nodes += calls or [node]
    if not is_changed:
      return graph_def
    replace_nodes(graph_def, nodes)
    graph_def = inline_calls(graph_def)
