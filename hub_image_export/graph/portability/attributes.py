# SPDX-License-Identifier: Apache-2.0
"""Attributes that TensorFlow 1.15 cannot parse and nobody needs."""

from __future__ import annotations

from hub_image_export.graph.graph_defs import all_nodes, drop_attribute
from hub_image_export.tensorflow_api import known_ops
from hub_image_export.tensorflow_api.protos import GraphDef, NodeDef

# `debug_name` is a name for error messages. `validate_shape` lets a variable
# of unknown shape keep the shape that it has; the variables of a module have
# static shapes, and those are validated anyway.
_HINTS = ("debug_name", "validate_shape")


def _unneeded(node: NodeDef) -> list[str]:
  known = known_ops.in_tensorflow_1_15().get(node.op)
  if known is None:
    return []
  return [
    name
    for name in node.attr
    if name not in known["attrs"]
    and not name.startswith("_")
    and (name in _HINTS or known_ops.is_default(node.op, name, node.attr[name]))
  ]


def drop_unknown_attributes(graph_def: GraphDef) -> int:
  """Drops what TF 1.15 does not know, where it is a hint or the default.

  TF 1.15 refuses a whole graph for one such attribute: "NodeDef mentions attr
  'validate_shape' not in Op".
  """
  count = 0
  for node in all_nodes(graph_def):
    unneeded = _unneeded(node)
    for name in unneeded:
      del node.attr[name]
    if unneeded:
      count += 1
  return count


def drop_colocations(graph_def: GraphDef) -> int:
  """Drops `_class`, which ties an op to the device of another one.

  It names that op; a graph where the op was replaced or pruned away cannot be
  imported: "Specified colocation to an op that does not exist".
  """
  return drop_attribute(graph_def, "_class")
