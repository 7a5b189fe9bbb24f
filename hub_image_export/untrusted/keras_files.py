# SPDX-License-Identifier: Apache-2.0
"""Code in saved models: what Keras or TensorFlow would run when they load one.

A Keras file describes layers by Python's names for them, and some layers hold
Python's bytecode. Keras' own safe mode does not know of HDF5 files before
Keras 3.11, nor of all that names can reach. A file from elsewhere may so run
anything, which nobody expects of a file of weights and layers. Here such files
are refused before Keras sees them.
"""

from __future__ import annotations

import builtins
import json
import re
import zipfile
from collections.abc import Iterator
from typing import Any

from hub_image_export.tensorflow_api.keras_packages import (
  CONFIG_ATTRIBUTE,
  CONFIG_MEMBER,
)

# Layers that run code which stands in the file, or in another file.
_RUNS_CODE = frozenset(
  {
    "Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer",
    "FlaxLayer", "TensorFlowOpLayer",
  }
)  # fmt: skip
# Where Keras keeps what models are made of. Its other packages have functions
# that read and write files.
_FUNCTIONS = (
  "activations|initializers|regularizers|constraints|losses|metrics|ops"
)
_KERAS = r"(tf_)?keras(\.(src|api|_v2|_v1|_tf_keras|keras))*"
_OF_FUNCTIONS = re.compile(rf"{_KERAS}\.({_FUNCTIONS})(\.\w+)*")
_OF_CLASSES = re.compile(
  rf"{_KERAS}(\.(layers|models|engine|optimizers|dtype_policies"
  rf"|mixed_precision|quantizers|random|{_FUNCTIONS})(\.\w+)*)?"
)
# TensorFlow's functions as layers of Keras 2, by their public names.
_FUNCTION_LAYERS = frozenset({"TFOpLambda", "ClassMethod", "InstanceMethod"})
_COMPUTES = re.compile(
  r"(compat\.v[12]\.)?((math|nn|image|linalg|signal|bitwise|random|sparse"
  r"|ragged|strings|sets|quantization|dtypes|audio|__operators__|keras\.backend"
  r"|keras\.activations)\.)*(?!\w*(file|func|load|import|unigram|print))\w+"
)


def refuse_keras_code(path: str) -> None:
  """Raises ValueError if loading a Keras file would run code in it.

  Args:
    path: a file that exists; what is no Keras file is let be.
  """
  found = sorted({code for item in _configs(path) for code in _code(item)})
  if found:
    more = f" (and {len(found) - 3} more)" if len(found) > 3 else ""
    raise ValueError(
      f"The model {path!r} brings code along that would run when it is "
      f"loaded: {', '.join(found[:3])}{more}; expected layers of Keras alone. "
      "If you trust it, load it in a Python file, where its own classes are "
      "defined, and give --model=file.py:name."
    )


def _configs(path: str) -> Iterator[Any]:
  """What describes the model: a file can be of both formats at once."""
  for read in (_of_zip, _of_hdf5):
    try:
      text = read(path)
      if text is not None:
        yield json.loads(text)
    except (KeyError, OSError, RecursionError, ValueError, zipfile.BadZipFile):
      continue  # Keras cannot read it, either, and says so.


def _of_zip(path: str) -> bytes | None:
  if not zipfile.is_zipfile(path):
    return None
  with zipfile.ZipFile(path) as archive:
    return archive.read(CONFIG_MEMBER)


def _of_hdf5(path: str) -> Any:
  import h5py  # TensorFlow and Keras depend on it.

  if not h5py.is_hdf5(path):
    return None
  with h5py.File(path, "r") as file:
    return file.attrs.get(CONFIG_ATTRIBUTE)


def _code(config: Any) -> Iterator[str]:
  """What in a model's description is code, or the name of some."""
  pending = [config]
  while pending:
    item = pending.pop()
    if isinstance(item, list):
      pending += item
    elif isinstance(item, dict):
      pending += item.values()
      yield from _code_of(item)


def _code_of(item: dict[str, Any]) -> Iterator[str]:
  kind, inner = item.get("class_name"), item.get("config")
  if kind in _RUNS_CODE:
    yield f"a {kind}"
  module = item.get("module")
  if "class_name" in item and isinstance(module, str):
    name = inner if kind == "function" else kind
    if not _is_of_keras(module, name, kind == "function"):
      yield f"{module}.{name}"
  if not isinstance(inner, dict):
    return
  if kind in _FUNCTION_LAYERS:
    function = inner.get("function")
    if not isinstance(function, str) or not _COMPUTES.fullmatch(function):
      yield f"tf.{function}"
  if isinstance(inner.get("vocabulary"), str):
    yield f"the file {inner['vocabulary']}"


def _is_of_keras(module: str, name: Any, is_function: bool) -> bool:
  if module == "builtins":  # Keras' word for its own functions, mostly.
    return is_function and not hasattr(builtins, str(name))
  pattern = _OF_FUNCTIONS if is_function else _OF_CLASSES
  return pattern.fullmatch(module) is not None
