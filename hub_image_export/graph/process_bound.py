# SPDX-License-Identifier: Apache-2.0
"""What of a traced graph may not leave its author's process (F5)."""

from __future__ import annotations

from typing import Any

from hub_image_export.graph.graph_defs import all_nodes, data_inputs
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import GraphDef
from hub_image_export.untrusted.op_effects import reaches_out

# Hints for the lowering of functional control flow; all other private
# attributes belong to the process or the library that wrote them.
_KEPT_ATTRIBUTES = frozenset(
  {"_lower_using_switch_merge", "_num_original_outputs"}
)
_PROCESS_OPS = {
  "PyFunc": "runs a Python function of this process",
  "PyFuncStateless": "runs a Python function of this process",
  "EagerPyFunc": "runs a Python function of this process",
  "ReadFile": "reads a file that is no part of the module",
  "WriteFile": "writes a file",
  "HashTableV2": "is a lookup table",
  "MutableHashTableV2": "is a lookup table",
  "MutableDenseHashTableV2": "is a lookup table",
}
_REACHES_OUT = "may use files or processes"


def fill_constants(graph_def: GraphDef, captured: dict[str, Any]) -> None:
  """Puts captured tensors into the graph, as what they are: constants."""
  for node in graph_def.node:
    if node.name not in captured:
      continue
    value = captured[node.name]
    if value.dtype in (tf.resource, tf.variant):
      users = [n for n in graph_def.node if node.name in data_inputs(n)]
      if not users:  # Batch renorm captures variables that nothing reads.
        continue
      raise ValueError(
        f"the op {users[0].name!r} ({users[0].op}) uses a resource that is no "
        "variable (a lookup table, say), or one that nothing holds (as what an "
        "optimizer keeps): a module cannot have it. Replace it by tensors"
      )
    node.op = "Const"
    for key in ("shape", "_user_specified_name"):
      node.attr.pop(key, None)
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))


def refuse_process_ops(graph_def: GraphDef) -> None:
  """Raises ValueError for ops that are at home here only, by name."""
  found = [
    f"{node.name} ({node.op} {_PROCESS_OPS.get(node.op, _REACHES_OUT)})"
    for node in all_nodes(graph_def)
    if node.op in _PROCESS_OPS or reaches_out(node)
  ]
  if found:
    raise ValueError(
      f"the network has ops that cannot leave this process: {found}. A module "
      "is hermetic (F5): write them with TensorFlow ops on tensors"
    )


def drop_private_attributes(graph_def: GraphDef) -> None:
  """Clears devices, and what TensorFlow noted for itself, in place."""
  for node in all_nodes(graph_def):
    node.device = ""
    for key in [k for k in node.attr if k.startswith("_")]:
      if key not in _KEPT_ATTRIBUTES:
        del node.attr[key]
