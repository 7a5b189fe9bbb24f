# SPDX-License-Identifier: Apache-2.0
"""Whether a network can tell training from inference at all.

Many networks cannot: convolutions, dense layers, layer norms, activations.
Tracing such a network for training gives the graph for inference once more,
only to be left out (F2). What is proven here saves that second trace.

Keras tells layers of training in two ways: by the argument `training` of
their `call`, and by the context of the call, which code within a layer can
ask (`keras.backend.in_train_phase`). The first is seen in signatures. Keras'
own layers without that argument never ask the context, and any code that is
not of Keras or TensorFlow might.
"""

from __future__ import annotations

import dis
import functools
import inspect
import sys
from collections.abc import Collection, Mapping
from typing import Any

from hub_image_export.graph.graph_defs import all_nodes
from hub_image_export.sources.source import Source
from hub_image_export.tensorflow_api import keras_packages, known_ops
from hub_image_export.tensorflow_api.protos import GraphDef
from hub_image_export.tracing.trace import Trace

_KERAS = frozenset({"keras", "tf_keras"})
_TENSORFLOW = frozenset({"tensorflow"})
# Packages whose objects run no code of the user's own accord.
_TRUSTED = (
  _KERAS
  | _TENSORFLOW
  | {"builtins", "collections", "inspect", "numpy", "_thread"}
)
_PLAIN = frozenset({type(None), bool, int, float, str})
# They pass `training` on to their layers, and do nothing else with it.
_CONTAINERS = ("Functional", "Sequential")
_ACTIVITY_REGULARIZERS = ("activity_regularizer", "_activity_regularizer")
# No call of a built layer runs these: Keras 3 wraps the first two methods of
# each layer, compiling sets the third, and penalties come after all calls.
_NOT_CALLED = ("build", "quantize", "loss", "_callable_losses")


def training_cannot_differ(source: Source, inference: Trace) -> bool:
  """Whether a trace for training is sure to equal that for inference (F2).

  That is so where the source is a Keras model itself, of Keras' own layers,
  none of which looks at `training`, holds a function of the user, or changes
  any state. In any doubt the answer is no: then both have to be traced, and
  compared.

  Args:
    source: what was traced. A function is told of training itself, and may
      do anything with it: nothing is ever proven of one.
    inference: the source's trace for inference.
  """
  layers = inference.layers.layers
  return (
    keras_packages.is_layer(source.call)
    and any(layer is source.call for layer in layers)
    and not inference.made
    and all(_ignores_training(layer) for layer in layers)
    and not _changes_state(inference.graph_def)
  )


def _changes_state(graph_def: GraphDef) -> bool:
  """Whether any op does more than read variables and compute."""
  ops = {node.op for node in all_nodes(graph_def)}
  return not all(map(known_ops.only_computes, ops))


def _ignores_training(operation: Any) -> bool:
  """Holds for layers of Keras 2 and 3, and for operations of Keras 3."""
  cls = type(operation)
  if not _is_found_in(_KERAS, cls) or not _is_code_of_keras(cls.__call__):
    return False
  if cls.__name__ in _CONTAINERS:
    return _is_plain_container(operation)
  if getattr(operation, "quantization_mode", None) is not None:
    return False
  attributes = vars(operation)
  if "call" in attributes:
    return _is_tensorflow_op(operation)
  return _has_no_use_for_training(cls.call) and all(
    _is_known(value, operation)
    for name, value in attributes.items()
    if name not in _NOT_CALLED
  )


def _is_plain_container(model: Any) -> bool:
  """Whether a container does just what its class does, to known arguments."""
  attributes = vars(model)
  if "call" in attributes or not _is_code_of_keras(type(model).call):
    return False
  nodes = keras_packages.nodes_within(model)
  return (
    all(
      _is_known(value, model)
      for name, value in attributes.items()
      if name in _ACTIVITY_REGULARIZERS
      or (_is_method(model, name) and name not in _NOT_CALLED)
    )
    and all(_is_known(_arguments(node), model) for node in nodes)
    # A layer was observed where it was called, an operation was not.
    and all(
      keras_packages.is_layer(node.operation)
      or _ignores_training(node.operation)
      for node in nodes
      if hasattr(node, "operation")
    )
  )


def _is_method(layer: Any, name: str) -> bool:
  return inspect.isroutine(inspect.getattr_static(type(layer), name, None))


def _arguments(node: Any) -> list[Any]:
  """What a container calls a layer with (Keras 3, or 2)."""
  held = getattr(node, "arguments", None)
  if held is not None:
    return [held.args, held.kwargs]
  return [getattr(node, "call_args", ()), getattr(node, "call_kwargs", {})]


def _is_tensorflow_op(layer: Any) -> bool:
  """Whether it is a layer that Keras 2 made of `x + y` or `tf.nn.relu(x)`."""
  attributes = vars(layer)
  return (
    type(layer).__name__ == "TFOpLambda"
    and _is_code_of_keras(attributes["call"])
    and _is_found_in(_TENSORFLOW, attributes.get("function"))
    and all(
      _is_known(value, layer)
      for name, value in attributes.items()
      if name != "call"
    )
  )


@functools.cache
def _has_no_use_for_training(call: Any) -> bool:
  """Whether the method has no argument `training`, or never reads it.

  Dense layers of Keras 3 have the argument for subclasses alone.
  """
  if not _is_code_of_keras(call):
    return False
  parameters = inspect.signature(call).parameters
  if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
    return False
  return "training" not in parameters or not any(
    "training" in str(instruction.argval)
    for instruction in dis.get_instructions(inspect.unwrap(call))
  )


def _is_known(value: Any, owner: Any) -> bool:
  """Whether no code of the user's can hide in an attribute or argument."""
  if type(value) in _PLAIN:
    return True
  if _package(type(value)) not in _TRUSTED:
    return keras_packages.is_layer(value)  # Judged where it is called.
  if isinstance(value, Mapping):
    return all(_is_known(item, owner) for item in value.values())
  if isinstance(value, (list, tuple, set, frozenset)):
    return all(_is_known(item, owner) for item in value)
  if not callable(value) or keras_packages.is_layer(value):
    return True
  if inspect.ismethod(value):
    function = value.__func__
    return value.__self__ is owner and _is_found_in(_KERAS, function)
  if inspect.isroutine(value) or inspect.isclass(value):
    return _is_found_in(_KERAS | _TENSORFLOW, value)
  # Initializers and regularizers; others of Keras may hold functions.
  return _is_found_in(_KERAS, type(value)) and all(
    _is_known(item, value) for item in vars(value).values()
  )


def _is_found_in(packages: Collection[str], value: Any) -> bool:
  """Whether a function or class is what a module there has by its name.

  Closures and decorated functions are not, whatever they say of themselves.
  """
  if _package(value) not in packages:
    return False
  found = sys.modules.get(value.__module__)
  for name in getattr(value, "__qualname__", "").split("."):
    found = getattr(found, name, None)
  return found is value


def _package(value: Any) -> str:
  return str(getattr(value, "__module__", "")).partition(".")[0]


def _is_code_of_keras(function: Any) -> bool:
  """Whether a method was written in Keras, and not put there since."""
  module = getattr(function, "__globals__", {}).get("__name__", "")
  return module.partition(".")[0] in _KERAS
