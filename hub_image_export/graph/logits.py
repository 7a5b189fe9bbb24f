# SPDX-License-Identifier: Apache-2.0
"""Linear scores out of a classifier that ends in probabilities (C7)."""

from __future__ import annotations

from hub_image_export.graph.graph_defs import (
  canonical,
  data_inputs,
  node_of,
  nodes_by_name,
  passed_on,
)
from hub_image_export.tensorflow_api.protos import GraphDef

_ACTIVATIONS = {"Softmax": "softmax", "Sigmoid": "sigmoid"}
_TRANSPARENT = frozenset({"Identity", "IdentityN", "Cast"})


def strip_activation(graph_def: GraphDef, output: str) -> str | None:
  """Takes a final softmax or sigmoid off, in place.

  Other outputs that read the same probabilities go on reading them.

  Args:
    graph_def: is changed.
    output: name of the Identity node that is the classifier's output.

  Returns:
    "softmax" or "sigmoid", whichever was there; None if neither was.
  """
  nodes = nodes_by_name(graph_def)
  last = nodes[node_of(output)]
  source = passed_on(nodes, data_inputs(last)[0], _TRANSPARENT)
  activation = nodes[node_of(source)]
  if activation.op not in _ACTIVATIONS:
    return None
  scores = canonical(data_inputs(activation)[0])
  dtype = activation.attr["T"].type
  if dtype != last.attr["T"].type:
    cast = graph_def.node.add(
      name=last.name + "/logits", op="Cast", input=[scores]
    )
    cast.attr["SrcT"].type = dtype
    cast.attr["DstT"].type = last.attr["T"].type
    scores = cast.name
  last.input[0] = scores
  return _ACTIVATIONS[activation.op]
