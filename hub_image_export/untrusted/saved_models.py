# SPDX-License-Identifier: Apache-2.0
"""What a SavedModel would do to the machine when it is loaded or traced.

TensorFlow runs a SavedModel's initializers while it loads it, and its ops may
read and write any file. The ops of checkpoints, which every SavedModel has,
may stand only where nothing but saving and restoring runs them.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator
from typing import Any

from google.protobuf import message, text_format

from hub_image_export import contract
from hub_image_export.checker.reading.hermetic import reaches_out
from hub_image_export.errors import SourceError
from hub_image_export.tensorflow_api.protos import SavedModel
from hub_image_export.untrusted.graph import Graph

_CHECKPOINT_OPS = frozenset(
  {"SaveV2", "RestoreV2", "MergeV2Checkpoints", "ShardedFilename"}
)
# Vocabularies of lookup tables, which are assets.
_ASSET_OPS = frozenset(
  {"InitializeTableFromTextFile", "InitializeTableFromTextFileV2"}
)
_INIT_OPS = ("saved_model_main_op", "legacy_init_op")


def refuse_reaching_out(path: str) -> None:
  """Raises SourceError if loading or tracing it could touch the machine.

  Args:
    path: directory of a SavedModel.
  """
  found = sorted({op for meta in _meta_graphs(path) for op in _ops(meta)})
  if found:
    raise SourceError(
      f"the SavedModel {path!r} has ops that may use files, processes or "
      f"Python of this machine: {', '.join(found[:5])}. A module is hermetic "
      "(F5), and it is not even loaded. If you trust it, load it in a Python "
      "file, and give a function that does without these ops"
    )


def _meta_graphs(path: str) -> Any:
  """Of the file that TensorFlow reads; none where it says what is wrong."""
  proto = SavedModel()
  file = os.path.join(path, contract.SAVED_MODEL_FILE)
  try:
    if os.path.isfile(file):
      proto.ParseFromString(pathlib.Path(file).read_bytes())
    else:
      text_format.Parse(pathlib.Path(file + "txt").read_bytes(), proto)
  except (OSError, ValueError, message.DecodeError, text_format.ParseError):
    return []
  return proto.meta_graphs


def _ops(meta_graph: Any) -> Iterator[str]:
  graph = Graph(meta_graph.graph_def)
  for node in graph.all_nodes():
    if node.op not in (_CHECKPOINT_OPS | _ASSET_OPS) and reaches_out(node):
      yield node.op
  for node in _run(meta_graph, graph):
    if node.op in _CHECKPOINT_OPS:
      yield node.op


def _run(meta_graph: Any, graph: Graph) -> Iterator[Any]:
  """The nodes that run in other ways than by saving and restoring."""
  names = graph.ancestors(_tensors(meta_graph))
  nodes = [graph.nodes[name] for name in names if name in graph.nodes]
  yield from nodes
  functions = {called for node in nodes for called in graph.called(node)}
  for name in meta_graph.object_graph_def.concrete_functions:
    if name in graph.functions:
      functions.add(name)
      for node in graph.functions[name].node_def:
        functions |= graph.called(node)
  for name in functions:
    yield from graph.functions[name].node_def


def _tensors(meta_graph: Any) -> list[str]:
  """Outputs of signatures, of which one may initialize, and older ways."""
  found = [
    info.name
    for signature in meta_graph.signature_def.values()
    for info in signature.outputs.values()
  ]
  for name in _INIT_OPS:
    if name in meta_graph.collection_def:
      found += meta_graph.collection_def[name].node_list.value
  return found
