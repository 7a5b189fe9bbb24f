# SPDX-License-Identifier: Apache-2.0
"""`--model=model.ckpt.meta`: a training program's graph as a function.

What goes in and what comes out is told by names of tensors: such a graph has
no signatures.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable
from typing import Any

from hub_image_export import contract
from hub_image_export.arguments import called, shown
from hub_image_export.errors import SourceError
from hub_image_export.graph.graph_defs import (
  ancestors,
  node_of,
  nodes_by_name,
)
from hub_image_export.sources import meta_graphs
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import NodeDef
from hub_image_export.untrusted import saved_models
from hub_image_export.untrusted.op_effects import reaches_out

_v1 = tf.compat.v1
_PLACEHOLDERS = ("Placeholder", "PlaceholderWithDefault", "PlaceholderV2")
# What a network ends in, mostly: candidates for messages.
_LAST = ("BiasAdd", "MatMul", "Mean", "Softmax", "Squeeze", "Reshape", "L2")
_SHOWN = 8
_SCOPE = "model"


def load(
  path: str, images: str | None, output: str | None
) -> tuple[Callable[..., Any], tuple[int | None, int | None]]:
  """The function on images that the graph has, and the size it is made for.

  It takes `is_training` if one placeholder of a boolean stands before the
  output: that is what such a placeholder is taken for.

  Args:
    path: of the `.meta` file; its checkpoint is beside it.
    images: name of the tensor that takes images; None where just one can.
    output: name of the tensor that is wanted.

  Raises:
    ValueError: there are no such tensors; candidates are told.
    SourceError: what has to run of the graph would reach out of it.
  """
  meta_graph = meta_graphs.read(path)
  nodes = nodes_by_name(meta_graph.graph_def)
  output = _existing("output", output, nodes, _last(nodes))
  _refuse_reaching_out(path, meta_graph, output)
  before = ancestors(meta_graph.graph_def, [output])
  placeholders = [
    nodes[n] for n in nodes if n in before and _is_given(nodes[n])
  ]
  of_images = [n.name for n in placeholders if _may_be_images(n)]
  if images is None and len(of_images) == 1:
    images = of_images[0]
  images = _existing("images", images, nodes, of_images)
  if node_of(images) not in before:
    raise ValueError(
      f"{called('images')} is {shown(images)}, on which {output} does not "
      f"depend: expected one of {of_images}"
    )
  switches = [
    n.name
    for n in placeholders
    if n.attr["dtype"].type == tf.bool.as_datatype_enum
  ]
  size = _size(nodes[node_of(images)])
  return _function(path, images, output, switches), size


def _function(
  path: str, images: str, output: str, switches: list[str]
) -> Callable[..., Any]:
  def network(x: Any, is_training: bool = False) -> dict[str, Any]:
    graph = _v1.get_default_graph()
    # Of nodes whose names are taken, TensorFlow changes the names.
    taken = {operation.name for operation in graph.get_operations()}
    scope = _SCOPE if node_of(output) in taken else None
    given = {
      name: tf.constant(is_training, name="is_training_of_caller")
      for name in switches
    }
    _v1.train.import_meta_graph(
      path,
      clear_devices=True,
      import_scope=scope,
      input_map={_tensor(images): x, **given},
    )
    if not is_training:  # Nobody runs them then.
      graph.clear_collection(contract.UPDATE_OPS)
    name = f"{scope}/{output}" if scope else output
    return {output: graph.get_tensor_by_name(_tensor(name))}

  def inference(x: Any) -> dict[str, Any]:
    return network(x)

  return network if len(switches) == 1 else inference


def _tensor(name: str) -> str:
  return name if ":" in name else f"{name}:0"


def _existing(
  argument: str, name: str | None, nodes: dict[str, Any], candidates: list[str]
) -> str:
  if name is not None and node_of(name) in nodes:
    return name
  near = difflib.get_close_matches(name or "", nodes, 3, 0.5) or candidates
  what = "missing" if name is None else shown(name)
  raise ValueError(
    f"{called(argument)} is {what}: expected the name of a tensor in the meta "
    f"graph, such as {', '.join(near[:_SHOWN]) or 'input:0'}"
  )


def _last(nodes: dict[str, NodeDef]) -> list[str]:
  """Names of nodes that may be outputs, the last first."""
  found = [n.name for n in nodes.values() if n.op.startswith(_LAST)]
  return [n for n in found[::-1] if "gradients" not in n and "save/" not in n]


def _is_given(node: NodeDef) -> bool:
  return node.op in _PLACEHOLDERS


def _may_be_images(node: NodeDef) -> bool:
  shape = tf.TensorShape(node.attr["shape"].shape)
  floats = node.attr["dtype"].type == tf.float32.as_datatype_enum
  return floats and (shape.rank is None or shape.rank == 4)


def _size(node: NodeDef) -> tuple[int | None, int | None]:
  shape = tf.TensorShape(node.attr["shape"].shape)
  return (shape[1], shape[2]) if shape.rank == 4 else (None, None)


def _refuse_reaching_out(path: str, meta_graph: Any, output: str) -> None:
  """What runs: the output, updates, penalties, and initial values."""
  run = [output]
  for key in (contract.UPDATE_OPS, contract.REGULARIZATION_LOSSES):
    run += meta_graph.collection_def[key].node_list.value
  for proto in meta_graphs.protos_of(meta_graph, contract.VARIABLES):
    run.append(proto.initializer_name)
  present = nodes_by_name(meta_graph.graph_def)
  running = ancestors(
    meta_graph.graph_def, [name for name in run if node_of(name) in present]
  )
  nodes = [n for n in meta_graph.graph_def.node if n.name in running]
  for function in meta_graph.graph_def.library.function:
    nodes += function.node_def
  found = [f"{n.name} ({n.op})" for n in nodes if reaches_out(n)]
  found += saved_models.large_constants([meta_graph])
  if found:
    raise SourceError(
      f"the graph in {shown(os.fspath(path))} has what may use files, "
      f"processes or all memory: {', '.join(found[:3])}. Expected computation "
      f"alone: choose an output that does without with {called('output')}"
    )
