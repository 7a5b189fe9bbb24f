# SPDX-License-Identifier: Apache-2.0
"""What loaders with sessions run of a SavedModel: its signatures.

`tf.compat.v1.saved_model.load`, TensorFlow Serving and converters read this
part, and the saver. TensorFlow 2's own loader reads the graph of objects, and
of this the functions only.
"""

from __future__ import annotations

from collections.abc import Sequence

from hub_image_export.export.saved_model import functions
from hub_image_export.export.saved_model.functions import Signature
from hub_image_export.export.variable_nodes import free_scope, variable_nodes
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import FunctionDef, MetaGraphDef
from hub_image_export.weights.variable import Variable


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
