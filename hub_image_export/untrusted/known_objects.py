# SPDX-License-Identifier: Apache-2.0
"""The parts of Keras and TensorFlow that a saved model may consist of.

`data/known_names.json` lists them by name. What counts is the object that has
the name in the Keras or TensorFlow at hand, under whatever other name a file
refers to it. New layers are unknown until they are listed there.
"""

from __future__ import annotations

import functools
import json
import pathlib
import sys
from typing import Any

from hub_image_export.tensorflow_api import private
from hub_image_export.tensorflow_api.compat import tf

_DATA = pathlib.Path(__file__).parent.parent / "data/known_names.json"
# Where Keras looks for the functions that it calls builtins.
_FUNCTIONS = (
  "activations", "constraints", "initializers", "losses", "metrics",
  "regularizers",
)  # fmt: skip
# TensorFlow's functions as layers of Keras 2.
_FUNCTION_LAYERS = "src.layers.core.tf_op_layer"


@functools.cache
def names() -> dict[str, Any]:
  return json.loads(_DATA.read_text(encoding="utf-8"))


@functools.cache
def _packages() -> tuple[str, ...]:
  """The Keras that is `tf.keras`, first, and any other in this process."""
  first = tf.keras.Model.__module__.partition(".")[0]
  return tuple(dict.fromkeys([first, "keras", "tf_keras"]))


def find(path: str) -> Any:
  """What has a dotted name by now; nothing is imported, and no code runs.

  TensorFlow's own Keras goes by the name of `keras`, too.
  """
  root, *parts = path.split(".")
  if root not in (*_packages(), "tensorflow"):
    return None
  roots = [_packages()[0], root] if root == "keras" else [root]
  if parts[:1] == ["_legacy"]:  # So Keras 3 calls what only `tf.keras` has.
    roots, parts = [f"{root}._tf_keras.keras"], parts[1:]
  for place in roots:
    found: Any = sys.modules.get(place)
    for part in parts:
      place = f"{place}.{part}"
      inner = getattr(found, "__dict__", {}).get(part)
      found = sys.modules.get(place) if inner is None else inner
    if found is not None:
      return found
  return None


@functools.cache
def _public(path: str) -> tuple[Any, ...]:
  """The objects that a listed name stands for, in each Keras."""
  found = []
  for package in (tf.keras, *map(sys.modules.get, _packages())):
    value: Any = package
    for part in path.split("."):
      value = getattr(value, part, None)
    found.append(value)
  return tuple(value for value in found if value is not None)


@functools.cache
def _of_keras() -> dict[int, Any]:
  """The known objects of each Keras, by their ids; they are kept alive."""
  found = {}
  for group in ("keras", "keras_internal"):
    for space, listed in names()[group].items():
      for name in listed:
        for value in _public(f"{space}.{name}"):
          found[id(value)] = value
  return found


@functools.cache
def _of_tensorflow() -> dict[int, Any]:
  """The known functions, public and as Keras 2 finds them."""
  found = {}
  for space, listed in names()["tensorflow"].items():
    for name in listed:
      path = f"{space}.{name}".lstrip(".")
      value: Any = tf
      for part in path.split("."):
        value = getattr(value, part, None)
      for known in (value, private.symbol(path)):
        found[id(known)] = known
  for space in ("activations", "backend"):
    for name in names()["keras"][space]:
      known = private.symbol(f"keras.{space}.{name}")
      found[id(known)] = known
  found.pop(id(None), None)
  return found


@functools.cache
def _by_name(spaces: tuple[str, ...] | None = None) -> dict[str, Any]:
  """Known objects of Keras by the last part of their names."""
  found: dict[str, Any] = {}
  for group in ("keras", "keras_internal"):
    for space, listed in names()[group].items():
      if spaces is None or space in spaces:
        for name in listed:
          for value in _public(f"{space}.{name}"):
            found.setdefault(name, value)
  return found


def is_known(module: str | None, name: str, registered: Any = None) -> bool:
  """Whether a class or function of Keras, or a pure one of TensorFlow.

  Args:
    module: where it is said to be; None where Keras goes by `name` alone.
    name: of the object in there.
    registered: by what name it may have been made known to Keras, which looks
      there first.
  """
  for key in (name, registered):
    own = isinstance(key, str) and tf.keras.utils.get_registered_object(key)
    if own and id(own) not in _of_keras():
      return False
  if module is None:
    return name in _by_name()
  if module == "builtins":
    return name in _by_name(_FUNCTIONS)
  found = id(find(f"{module}.{name}"))
  return found in _of_keras() or found in _of_tensorflow()


def is_function_layer(module: Any, name: str) -> bool:
  """Whether a known class is a layer that calls a function of TensorFlow."""
  layers = names()["keras_internal"][_FUNCTION_LAYERS]
  found = _by_name().get(name) if module is None else find(f"{module}.{name}")
  return any(
    found is value
    for layer in layers
    for value in _public(f"{_FUNCTION_LAYERS}.{layer}")
  )


def is_function(symbol: Any) -> bool:
  """Whether Keras 2 finds a pure function of TensorFlow by this name."""
  return isinstance(symbol, str) and (
    id(private.symbol(symbol)) in _of_tensorflow()
  )


def is_activation(name: str) -> bool:
  """Whether Keras finds an activation, or a layer, by this name."""
  listed = names()
  return any(
    name in group
    for group in (
      listed["keras"]["activations"],
      listed["keras"]["layers"],
      listed["tensorflow"]["nn"],
    )
  )
