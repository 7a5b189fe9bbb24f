# SPDX-License-Identifier: Apache-2.0
"""The ops of a saver, written into a graph as they are.

`tf.compat.v1.train.Saver` makes them in Python, half a millisecond for each
variable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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
  filename = NodeDef(name=f"{scope}/filename", op="Placeholder")
  filename.attr["dtype"].type = _STRING
  filename.attr["shape"].shape.SetInParent()
  saving = _saving(scope, filename.name, variables, names, others)
  restoring = _restoring(scope, filename.name, variables, names)
  meta.graph_def.node.extend([filename, *saving, *restoring])
  meta.saver_def.filename_tensor_name = f"{filename.name}:0"
  meta.saver_def.save_tensor_name = f"{saving[-1].name}:0"
  meta.saver_def.restore_op_name = restoring[0].name
  meta.saver_def.version = meta.saver_def.V2


def _saving(
  scope: str,
  filename: str,
  variables: Sequence[Variable],
  names: list[str],
  others: Mapping[str, bytes],
) -> list[NodeDef]:
  """The last one gives the name of the file, when it is written."""
  constants = [
    constant_node(f"{scope}/other_{i}", np.array(value, object))
    for i, value in enumerate(others.values())
  ]
  slots = _slots(f"{scope}/saved", [*names, *others])
  save = NodeDef(
    name=f"{scope}/save",
    op="SaveV2",
    input=[
      *(filename, *(node.name for node in slots)),
      *(variable_nodes(variable)[1].name for variable in variables),
      *(node.name for node in constants),
    ],
  )
  types = save.attr["dtypes"].list.type
  types.extend([*_types(variables), *[_STRING] * len(others)])
  saved = NodeDef(
    name=f"{save.name}_done", op="Identity", input=[filename, f"^{save.name}"]
  )
  saved.attr["T"].type = _STRING
  return [*constants, *slots, save, saved]


def _restoring(
  scope: str, filename: str, variables: Sequence[Variable], names: list[str]
) -> list[NodeDef]:
  """The first one waits for all variables."""
  restored = NodeDef(name=f"{scope}/restore_all", op="NoOp")
  if not variables:
    return [restored]
  slots = _slots(f"{scope}/restored", names)
  restore = NodeDef(
    name=f"{scope}/restore",
    op="RestoreV2",
    input=[filename, *(node.name for node in slots)],
  )
  restore.attr["dtypes"].list.type.extend(_types(variables))
  assigns = []
  for i, variable in enumerate(variables):
    value = f"{restore.name}:{i}" if i else restore.name
    assign = NodeDef(
      name=f"{scope}/assign_{i}",
      op="AssignVariableOp",
      input=[variable.name, value],
    )
    assign.attr["dtype"].type = variable.dtype.as_datatype_enum
    assigns.append(assign)
    restored.input.append(f"^{assign.name}")
  return [restored, *slots, restore, *assigns]


def _types(variables: Sequence[Variable]) -> list[Any]:
  return [variable.dtype.as_datatype_enum for variable in variables]


def _slots(scope: str, names: list[str]) -> list[NodeDef]:
  """Names of tensors in a checkpoint, and that all of each is meant."""
  return [
    constant_node(f"{scope}/names", np.array(names, object)),
    constant_node(f"{scope}/slices", np.array([""] * len(names), object)),
  ]
