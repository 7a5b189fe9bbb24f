# SPDX-License-Identifier: Apache-2.0
"""How a SavedModel writes the arguments and results of its functions down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import (
  FunctionSpec,
  StructuredValue,
)

# All that a signature is made of: None, bools, floats, strings, tf.TensorSpec,
# and tuples, lists and dicts of them.
Structure = Any


def encode(value: Structure) -> StructuredValue:
  """A structure, as `tf.saved_model.load` decodes it."""
  encoded = StructuredValue()
  if value is None:
    encoded.none_value.SetInParent()
  elif isinstance(value, bool):
    encoded.bool_value = value
  elif isinstance(value, float):
    encoded.float64_value = value
  elif isinstance(value, str):
    encoded.string_value = value
  elif isinstance(value, tf.TensorSpec):
    spec = encoded.tensor_spec_value
    spec.name, spec.dtype = value.name or "", value.dtype.as_datatype_enum
    spec.shape.CopyFrom(value.shape.as_proto())
  elif isinstance(value, Mapping):
    encoded.dict_value.SetInParent()
    for key, item in value.items():
      encoded.dict_value.fields[key].CopyFrom(encode(item))
  else:
    kind = "tuple_value" if isinstance(value, tuple) else "list_value"
    sequence = getattr(encoded, kind)
    sequence.SetInParent()
    sequence.values.extend(map(encode, value))
  return encoded


def function_spec(
  parameters: Iterable[str], defaults: tuple[Any, ...] = ()
) -> FunctionSpec:
  """The parameters of a Python function, the last of them with defaults."""
  spec = FunctionSpec()
  arguments = spec.fullargspec.named_tuple_value
  arguments.name = "FullArgSpec"
  fields: dict[str, Structure] = dict(
    args=list(parameters),
    varargs=None,
    varkw=None,
    defaults=defaults or None,
    kwonlyargs=[],
    kwonlydefaults=None,
    annotations={},
  )
  for name, value in fields.items():
    arguments.values.add(key=name, value=encode(value))
  spec.input_signature.none_value.SetInParent()
  return spec
