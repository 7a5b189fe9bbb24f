# SPDX-License-Identifier: Apache-2.0
"""SavedModels, parsed; and what one would do to the machine.

TensorFlow runs parts of a SavedModel while it loads it: the restore op of its
saver, initializers of tables and variables, main ops. Its ops may read and
write any file. So all that it holds must stay inside (`op_effects`), with two
exceptions: the ops of checkpoints, which every SavedModel has, may stand where
nothing but saving runs them, and `RestoreV2` where TensorFlow itself feeds the
name of the file; tables may be read from assets.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from typing import Any

from google.protobuf import message, text_format

from hub_image_export import contract
from hub_image_export.errors import SourceError
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import (
  AssetFileDef,
  SavedModel,
  SaverDef,
  VariableDef,
)
from hub_image_export.untrusted import limits
from hub_image_export.untrusted.calls import Calls
from hub_image_export.untrusted.graph import Graph, node_name, tensor_names
from hub_image_export.untrusted.op_effects import is_known, reaches_out

# What a protocol buffer can hold; as text it takes a minute for each 2**25.
MAX_BYTES = 2**31 - 1
_MAX_TEXT_BYTES = 2**24
_SAVING = frozenset({"SaveV2", "MergeV2Checkpoints", "ShardedFilename"})
_RESTORING = "RestoreV2"
_TABLES = frozenset(
  {"InitializeTableFromTextFile", "InitializeTableFromTextFileV2"}
)
_SAVERS = "savers"


def parse(directory: str, *, text: bool = False) -> SavedModel:
  """The SavedModel in a directory.

  Args:
    directory: has `saved_model.pb`.
    text: whether it may have `saved_model.pbtxt` instead.

  Raises:
    OSError: it cannot be read.
    ValueError: it is none, or too large.
  """
  path = os.path.join(directory, contract.SAVED_MODEL_FILE)
  is_text = text and not os.path.exists(path)
  proto = SavedModel()
  read(path + ("txt" if is_text else ""), proto, is_text)
  return proto


def read(path: str, proto: Any, is_text: bool = False) -> None:
  """Fills a protocol buffer from a file of its own.

  Raises:
    OSError: it cannot be read.
    ValueError: it is none, or too large.
  """
  most = _MAX_TEXT_BYTES if is_text else MAX_BYTES
  size = os.path.getsize(path)
  if size > most:
    raise ValueError(f"it has {size} bytes, expected at most {most}")
  with open(path, "rb") as file:
    content = file.read()
  try:
    if is_text:
      text_format.Parse(content, proto)
    else:
      proto.ParseFromString(content)
  except (message.DecodeError, text_format.ParseError, RecursionError) as error:
    raise ValueError(str(error)) from error


def meta_graph(directory: str, tags: frozenset[str]) -> Any:
  """The variant of a module that has these tags (F2).

  Raises:
    OSError, ValueError: it cannot be read, or there is none.
  """
  for graph in parse(directory).meta_graphs:
    if set(graph.meta_info_def.tags) == tags:
      return graph
  raise ValueError(f"the module {directory!r} has no variant {sorted(tags)}")


def refuse_reaching_out(path: str, subject: str = "") -> SavedModel:
  """Raises SourceError if loading or tracing it could touch the machine.

  Args:
    path: directory of a SavedModel.
    subject: how messages begin: what has this path.

  Returns:
    What was read.
  """
  subject = subject or f"the SavedModel {path!r}"
  try:
    proto = parse(path, text=True)
  except (OSError, ValueError) as error:
    raise SourceError(
      f"{subject} cannot be loaded: {error!s:.300}. Is it whole? Save it again"
    ) from error
  found = sorted(
    {problem for meta in proto.meta_graphs for problem in problems(meta)}
  )
  found += large_constants(proto.meta_graphs)
  if found:
    raise SourceError(
      f"{subject} has what may use files, processes or Python of "
      f"this machine, or is not known: {', '.join(found[:5])}. A module is "
      "hermetic (F5), and it is not even loaded. If you trust it, load it in a "
      "Python file, give a function that does without these ops, and "
      "--model=file.py:name"
    )
  return proto


def problems(meta_graph: Any) -> Iterator[str]:
  """Ops by which a graph could reach out, and assets outside of it."""
  calls = Calls(meta_graph.graph_def)
  for asset in _assets(meta_graph):
    if not _is_inside(asset.filename):
      yield f"the asset {asset.filename}"
  yield from (f"two functions {name}" for name in calls.repeated)
  running = calls.reached(*_roots(meta_graph))
  # By the name of the node that TensorFlow feeds with the file's name.
  restoring = [
    (
      node_name(saver.filename_tensor_name),
      calls.reached([saver.restore_op_name]),
    )
    for saver in _savers(meta_graph)
  ]
  assets = {node_name(a.tensor_info.name) for a in _assets(meta_graph)}
  objects = meta_graph.object_graph_def
  for place, node in calls.nodes_everywhere():
    if node.op in _SAVING:
      bad = any(place in reached for _, reached in [("", running), *restoring])
    elif node.op == _RESTORING:
      bad = place in running or not all(
        calls.comes_from(place[0], node.input[:1], {fed})
        for fed, reached in restoring
        if place in reached
      )
    elif node.op in _TABLES:
      bad = not calls.comes_from(place[0], node.input[1:2], assets, objects)
    elif is_known(node.op):
      bad = reaches_out(node)
    else:
      bad = node.op not in calls.functions
    if bad:
      yield node.op


def _is_inside(name: str) -> bool:
  parts = name.replace("\\", "/").split("/")
  return bool(name) and bool(parts[0]) and ".." not in parts


def _assets(meta_graph: Any) -> list[Any]:
  """Wherever TensorFlow may find them."""
  found = list(meta_graph.asset_file_def)
  for collection in meta_graph.collection_def.values():
    for value in collection.any_list.value:
      asset = AssetFileDef()
      if value.Unpack(asset):
        found.append(asset)
  return found


def _savers(meta_graph: Any) -> list[Any]:
  """The saver that TensorFlow restores with, and those in a collection."""
  found = [meta_graph.saver_def]
  if _SAVERS in meta_graph.collection_def:
    for value in meta_graph.collection_def[_SAVERS].bytes_list.value:
      found += _parsed(SaverDef, value)
  return [saver for saver in found if saver.ByteSize()]


def _parsed(kind: Any, value: bytes) -> list[Any]:
  try:
    return [kind.FromString(value)]
  except message.DecodeError:
    return []  # It is of another kind.


def _roots(meta_graph: Any) -> tuple[list[str], set[str]]:
  """Nodes and functions that may run in another way than by a saver."""
  found = []
  for signature in meta_graph.signature_def.values():
    for info in signature.outputs.values():
      found += tensor_names(info)
  for name, collection in meta_graph.collection_def.items():
    found += collection.node_list.value
    if name != _SAVERS:
      for value in collection.bytes_list.value:
        for variable in _parsed(VariableDef, value):
          found += [
            variable.initializer_name,
            variable.initial_value_name,
            variable.snapshot_name,
          ]
  objects, library = meta_graph.object_graph_def, meta_graph.graph_def.library
  functions = set(objects.concrete_functions)
  for node in objects.nodes:
    functions |= {
      *node.function.concrete_functions,
      node.bare_concrete_function.concrete_function_name,
    }
  for gradient in (*library.gradient, *library.registered_gradients):
    functions.add(gradient.gradient_func)
  return found, functions


def large_constants(meta_graphs: Sequence[Any]) -> list[str]:
  """What is said of constants that take more memory than their file may."""
  size = sum(map(_constant_bytes, meta_graphs))
  if size <= limits.max_bytes(sum(meta.ByteSize() for meta in meta_graphs)):
    return []
  return [f"constants of {size} bytes in a small file"]


def _constant_bytes(meta_graph: Any) -> int:
  """What the constants take in memory; a single value may stand for many."""
  total = 0
  for node in Graph(meta_graph.graph_def).all_nodes():
    for value in node.attr.values():
      for tensor in (value.tensor, *value.list.tensor):
        sizes = [max(dim.size, 0) for dim in tensor.tensor_shape.dim]
        total += math.prod(sizes) * _item_bytes(tensor.dtype)
  return total


def _item_bytes(dtype: int) -> int:
  try:
    return tf.as_dtype(dtype).size or 1
  except TypeError:
    return 1
