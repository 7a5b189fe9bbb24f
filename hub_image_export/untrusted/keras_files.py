# SPDX-License-Identifier: Apache-2.0
"""What Keras would run when it loads a saved model.

A Keras file describes layers by Python's names for them, and some layers hold
Python's bytecode, or name other files. Keras' own safe mode does not know of
HDF5 files before Keras 3.11, nor of all that names can reach. So nothing is
loaded that does not consist of known parts of Keras alone.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from typing import Any

from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.keras_packages import (
  CONFIG_ATTRIBUTE,
  CONFIG_MEMBER,
)
from hub_image_export.untrusted import hdf5, known_objects, limits

# What Keras writes into an archive; .npz files of weights may hold pickles.
_MEMBER = re.compile(
  r"(metadata|config|model\.weights)\.json|model\w*\.weights\.h5"
  r"|assets(/[\w.-]+)*/?"
)
# Words for plain values in place of a class; their dtype must be one.
_ARRAYS = ("__tensor__", "__numpy__")
_VALUES = (
  *_ARRAYS, "__bytes__", "__ellipsis__", "__slice__", "__keras_tensor__",
  "__tuple__", "TensorShape",
)  # fmt: skip
_COMPOSITE = "_COMPOSITE_TYPE"


def refuse_keras_code(path: str) -> None:
  """Raises ValueError if a Keras file has what is no known part of Keras.

  Args:
    path: a file that exists; what is no Keras file passes.
  """
  try:
    found = sorted({code for item in _configs(path) for code in _code(item)})
  except ValueError as error:
    raise ValueError(
      f"the model {path!r} has {error}: expected what Keras writes. It is not "
      "even loaded. Save it again"
    ) from None
  if found:
    more = f" (and {len(found) - 3} more)" if len(found) > 3 else ""
    raise ValueError(
      f"the model {path!r} could run code, or use files, when it is loaded, "
      f"for it has {', '.join(found[:3])}{more}: expected known parts of Keras "
      "alone. If you trust it, load it in a Python file, where its own classes "
      "are defined, and give --model=file.py:name"
    )


def _configs(path: str) -> Iterator[Any]:
  """What describes the model: a file can be of both formats at once."""
  if zipfile.is_zipfile(path):
    with hdf5.opened_zip(path) as archive:
      names = archive.namelist()
      for name in names:
        if not _MEMBER.fullmatch(name) or ".." in name:
          raise ValueError(f"the member {name!r}, which Keras does not write")
      if CONFIG_MEMBER in names:
        yield limits.parse_json(limits.read_member(archive, CONFIG_MEMBER))
  text = hdf5.attribute(path, CONFIG_ATTRIBUTE)
  if text is not None and not isinstance(text, (str, bytes)):
    raise ValueError("a description that is no text")
  if text is not None:
    yield limits.parse_json(text)


def _code(config: Any) -> Iterator[str]:
  """What in a model's description is not known to be a part of Keras."""
  pending = [config]
  while pending:
    item = pending.pop()
    if isinstance(item, list):
      pending += item
    elif isinstance(item, dict):
      pending += item.values()
      yield from _code_of(item)
    elif item == _COMPOSITE:
      yield "a composite tensor"


def _code_of(item: dict[str, Any]) -> Iterator[str]:
  kind, inner, module = (
    item.get(key) for key in ("class_name", "config", "module")
  )
  if "class_name" in item and kind not in _VALUES:
    name = inner if kind == "function" else kind
    if not isinstance(name, str) or not isinstance(module, (str, type(None))):
      yield f"a class whose name is {name!r:.50}"
    elif not known_objects.is_known(module, name, item.get("registered_name")):
      yield f"{module}.{name}" if module else f"a {name}"
    elif known_objects.is_function_layer(module, name):
      function = inner.get("function") if isinstance(inner, dict) else None
      if not known_objects.is_function(function):
        yield f"tf.{function}"
  elif kind in _ARRAYS and not _is_dtype(inner):
    yield f"a {kind} that is none"
  yield from _by_key(item)


def _by_key(item: dict[str, Any]) -> Iterator[str]:
  """Files and functions that layers take as texts, and calls on no image."""
  if isinstance(item.get("vocabulary"), str):
    yield f"the file {item['vocabulary']}"
  for key, value in item.items():
    if (
      key.endswith("activation")
      and isinstance(value, str)
      and not known_objects.is_activation(value)
    ):
      yield f"the activation {value}"
  nodes = item.get("inbound_nodes")
  if isinstance(nodes, list) and not all(map(_has_tensor, nodes)):
    # Keras would call it at once, with constants of the file.
    yield f"a call of {item.get('name')!r:.50} on no tensor of the model"


def _is_dtype(value: Any) -> bool:
  try:
    tf.as_dtype(value["dtype"])
  except (KeyError, TypeError):
    return False
  return True


def _has_tensor(node: Any) -> bool:
  """Whether a call takes the output of a layer: `["conv", 0, 0, ...]`."""
  pending = [node]
  while pending:
    item = pending.pop()
    if isinstance(item, dict):
      if item.get("class_name") == "__keras_tensor__":
        return True
      pending += item.values()
    elif isinstance(item, list):
      if (
        len(item) >= 3
        and isinstance(item[0], str)
        and item[0] != "_CONSTANT_VALUE"
        and all(type(i) is int for i in item[1:3])
      ):
        return True
      pending += item
  return False
