# SPDX-License-Identifier: Apache-2.0
"""The ops of a saver, written into a graph as they are.

`tf.compat.v1.train.Saver` makes them in Python, half a millisecond for each
variable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hub_image_export.export.variable_nodes import variable_nodes
from hub_image_export.graph.graph_defs import constant_node
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import MetaGraphDef, NodeDef
from hub_image_export.weights.variable import Variable

_STRING = tf.string.as_datatype_enum


def add_saver(
  meta: MetaGraphDef,
  scope: str,
  variables: Sequence[Variable],
  keys: Mapping[str, str] | None = None,
  others: Mapping[str, bytes] | None = None,
) -> None:
  """Adds the ops that restore, and save, a checkpoint.

  Args:
    meta: has the `variable_nodes` of the variables.
    scope: of the ops; nothing in the graph has a name in it.
    variables: of the module; there must be something to save.
    keys: what they are called in the checkpoint, by their names; as they are
      by default.
    others: strings that the checkpoint has beside them, by their keys.
  """
  keys, others = keys or {}, others or {}
  names = [keys.get(variable.name, variable.name) for variable in variables]
  types = [variable.dtype.as_datatype_enum for variable in variables]
  filename = NodeDef(name=f"{scope}/filename", op="Placeholder")
  filename.attr["dtype"].type = _STRING
  filename.attr["shape"].shape.SetInParent()
  constants = [
    constant_node(f"{scope}/other_{i}", np.array(value, object))
    for i, value in enumerate(others.values())
  ]
  saving = _slots(f"{scope}/saved", [*names, *others])
  save = NodeDef(
    name=f"{scope}/save",
    op="SaveV2",
    input=[
      *(node.name for node in (filename, *saving)),
      *(variable_nodes(variable)[1].name for variable in variables),
      *(node.name for node in constants),
    ],
  )
  save.attr["dtypes"].list.type.extend([*types, *[_STRING] * len(others)])
  saved = NodeDef(
    name=f"{save.name}_done",
    op="Identity",
    input=[filename.name, f"^{save.name}"],
  )
  saved.attr["T"].type = _STRING
  restored = NodeDef(name=f"{scope}/restore_all", op="NoOp")
  nodes = [filename, *constants, *saving, save, saved, restored]
  if variables:
    restoring = _slots(f"{scope}/restored", names)
    restore = NodeDef(
      name=f"{scope}/restore",
      op="RestoreV2",
      input=[node.name for node in (filename, *restoring)],
    )
    restore.attr["dtypes"].list.type.extend(types)
    nodes += [*restoring, restore]
  for i, variable in enumerate(variables):
    assign = NodeDef(
      name=f"{scope}/assign_{i}",
      op="AssignVariableOp",
      input=[variable.name, f"{restore.name}:{i}" if i else restore.name],
    )
    assign.attr["dtype"].type = types[i]
    nodes.append(assign)
    restored.input.append(f"^{assign.name}")
  meta.graph_def.node.extend(nodes)
  meta.saver_def.filename_tensor_name = f"{filename.name}:0"
  meta.saver_def.save_tensor_name = f"{saved.name}:0"
  meta.saver_def.restore_op_name = restored.name
  meta.saver_def.version = meta.saver_def.V2


def _slots(scope: str, names: list[str]) -> list[NodeDef]:
  """Names of tensors in a checkpoint, and that all of each is meant."""
  return [
    constant_node(f"{scope}/names", np.array(names, object)),
    constant_node(f"{scope}/slices", np.array([""] * len(names), object)),
  ]
