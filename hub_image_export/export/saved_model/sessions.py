# SPDX-License-Identifier: Apache-2.0
"""What loaders with sessions run of a SavedModel: signatures and a saver.

`tf.compat.v1.saved_model.load`, TensorFlow Serving and converters read this
part. TensorFlow 2's own loader reads the graph of objects, and of this the
functions only.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hub_image_export.export.saved_model import functions
from hub_image_export.export.saved_model.functions import Signature
from hub_image_export.export.variable_nodes import free_scope, variable_nodes
from hub_image_export.graph.graph_defs import constant_node
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import (
  FunctionDef,
  MetaGraphDef,
  NodeDef,
)
from hub_image_export.weights.variable import Variable

_STRING = tf.string.as_datatype_enum


def add_variables(meta: MetaGraphDef, variables: tuple[Variable, ...]) -> None:
  for variable in variables:
    meta.graph_def.node.extend(variable_nodes(variable))


def add_signature(
  meta: MetaGraphDef,
  names: Sequence[str],
  function: FunctionDef,
  signature: Signature,
  variables: tuple[Variable, ...],
) -> None:
  """Adds a call of a function, under one name or several.

  Args:
    variables: all that the graph has, whose names are taken.
  """
  placeholders = {
    key: free_scope(f"{names[0]}_{key}", variables) for key in signature.inputs
  }
  call = functions.call_node(
    free_scope(f"{names[0]}_call", variables),
    function,
    [*placeholders.values(), *(v.name for v in signature.variables)],
  )
  for key, spec in signature.inputs.items():
    node = meta.graph_def.node.add(name=placeholders[key], op="Placeholder")
    node.attr["dtype"].type = spec.dtype.as_datatype_enum
    node.attr["shape"].shape.CopyFrom(spec.shape.as_proto())
  meta.graph_def.node.append(call)
  for name in names:
    definition = meta.signature_def[name]
    definition.method_name = tf.saved_model.PREDICT_METHOD_NAME
    for key, spec in signature.inputs.items():
      _describe(definition.inputs[key], f"{placeholders[key]}:0", spec)
    for i, key in enumerate(sorted(signature.outputs)):
      _describe(
        definition.outputs[key], f"{call.name}:{i}", signature.outputs[key]
      )


def _describe(info, name: str, spec: tf.TensorSpec) -> None:
  info.name, info.dtype = name, spec.dtype.as_datatype_enum
  info.tensor_shape.CopyFrom(spec.shape.as_proto())


def add_saver(
  meta: MetaGraphDef,
  variables: tuple[Variable, ...],
  keys: dict[str, str],
  others: dict[str, bytes],
) -> None:
  """Adds the ops that restore, and save, a checkpoint.

  Args:
    variables: of the module.
    keys: what they are called in the checkpoint, by their names.
    others: strings that the checkpoint has beside them, by their keys.
  """
  scope = free_scope("save", variables)
  names = [keys[variable.name] for variable in variables]
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
