# SPDX-License-Identifier: Apache-2.0
"""Changes what a SavedModel says so that it still parses, by a seed."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

_SIZES = (-(2**63), -2, -1, 0, 1, 2**20, 2**31, 2**40, 2**62, 2**63 - 1)
_NAMES = ("", ":", "^", "a:b:c", "/", "../x", "x" * 5000, "\x1b[2J", "é\u202e")
_MANY = 3000


def scramble(proto: Any, source: random.Random) -> None:
  """Applies one to four changes to `proto` in place."""
  for _ in range(source.randint(1, 4)):
    if proto.meta_graphs:
      source.choice(_CHANGES)(source.choice(proto.meta_graphs), source, proto)


def _node(meta_graph: Any, source: random.Random) -> Any:
  nodes = meta_graph.graph_def.node
  return source.choice(nodes) if nodes else nodes.add()


def _remove(meta_graph: Any, source: random.Random, proto: Any) -> None:
  nodes = meta_graph.graph_def.node
  if nodes:
    del nodes[source.randrange(len(nodes))]


def _repeat(meta_graph: Any, source: random.Random, proto: Any) -> None:
  node = _node(meta_graph, source)
  meta_graph.graph_def.node.extend([node] * source.choice([1, 1, _MANY]))


def _rename(meta_graph: Any, source: random.Random, proto: Any) -> None:
  _node(meta_graph, source).name = source.choice(_NAMES)


def _swap_op(meta_graph: Any, source: random.Random, proto: Any) -> None:
  _node(meta_graph, source).op = _node(meta_graph, source).op


def _inputs(meta_graph: Any, source: random.Random, proto: Any) -> None:
  node = _node(meta_graph, source)
  others = [_node(meta_graph, source).name for _ in range(3)]
  prefix = source.choice(["", "", "^"])
  suffix = source.choice(["", ":1", ":99999999999"])
  node.input.extend(
    [prefix + source.choice([*others, *_NAMES, node.name]) + suffix]
    * source.choice([1, 1, _MANY])
  )
  if source.random() < 0.5:
    del node.input[0]


def _cycle(meta_graph: Any, source: random.Random, proto: Any) -> None:
  first, second = _node(meta_graph, source), _node(meta_graph, source)
  first.input.append(second.name)
  second.input.append(first.name)


def _attributes(meta_graph: Any, source: random.Random, proto: Any) -> None:
  node, other = _node(meta_graph, source), _node(meta_graph, source)
  if not node.attr or not other.attr:
    return
  key = source.choice(sorted(node.attr))
  value = other.attr[source.choice(sorted(other.attr))]
  node.attr[key].CopyFrom(value)
  if source.random() < 0.3:
    del node.attr[key]


def _shapes(meta_graph: Any, source: random.Random, proto: Any) -> None:
  """Terabytes for a variable or a constant, with a few bytes of content."""
  for _ in range(source.choice([1, 20])):
    for value in _node(meta_graph, source).attr.values():
      for shape in (value.shape, value.tensor.tensor_shape):
        for dim in shape.dim:
          dim.size = source.choice(_SIZES)
        if shape.dim and source.random() < 0.1:
          shape.dim.extend([shape.dim[0]] * source.choice([1, 300]))


def _types(meta_graph: Any, source: random.Random, proto: Any) -> None:
  for value in _node(meta_graph, source).attr.values():
    if value.type:
      value.type = source.choice([0, 1, 2, 7, 20, 21, 23, 101, 107, 9999])
    if value.HasField("tensor"):
      value.tensor.dtype = source.choice([0, 1, 7, 20, 21, 101])


def _signature(meta_graph: Any, source: random.Random, proto: Any) -> None:
  if not meta_graph.signature_def:
    return
  name = source.choice(sorted(meta_graph.signature_def))
  signature = meta_graph.signature_def[name]
  tensors = source.choice([signature.inputs, signature.outputs])
  info = tensors[source.choice([*tensors, *_NAMES])]
  kind = source.randrange(6)
  if kind == 0:
    info.name = source.choice([*_NAMES, _node(meta_graph, source).name])
  elif kind == 1:
    info.dtype = source.choice([0, 2, 7, 101, 9999])
  elif kind == 2:
    info.tensor_shape.dim.add(size=source.choice(_SIZES))
  elif kind == 3:
    info.coo_sparse.values_tensor_name = source.choice(_NAMES)
  elif kind == 4:
    info.composite_tensor.components.add().name = source.choice(_NAMES)
  else:
    meta_graph.signature_def[source.choice(_NAMES)].CopyFrom(signature)


def _collection(meta_graph: Any, source: random.Random, proto: Any) -> None:
  if not meta_graph.collection_def:
    return
  names = sorted(meta_graph.collection_def)
  collection = meta_graph.collection_def[source.choice(names)]
  kind = source.randrange(5)
  if kind == 0:
    collection.bytes_list.value.append(source.randbytes(source.randrange(60)))
  elif kind == 1:
    collection.node_list.value.extend(_NAMES)
  elif kind == 2:
    collection.any_list.value.add(
      type_url=source.choice(["", "x/tensorflow.AssetFileDef", "\x1b"]),
      value=source.randbytes(9),
    )
  elif kind == 3:
    collection.bytes_list.value.extend(
      list(collection.bytes_list.value) * source.choice([1, _MANY // 10])
    )
  else:
    del meta_graph.collection_def[source.choice(names)]


def _functions(meta_graph: Any, source: random.Random, proto: Any) -> None:
  """A function that calls itself, or a long chain of them."""
  library = meta_graph.graph_def.library
  count = source.choice([1, 2, 500])
  for i in range(count):
    function = library.function.add()
    function.signature.name = f"f{i}"
    node = function.node_def.add(name="call", op="PartitionedCall")
    node.attr["f"].func.name = f"f{(i + 1) % count}"
  node = meta_graph.graph_def.node.add(name="call", op="PartitionedCall")
  node.attr["f"].func.name = "f0"
  victim = _node(meta_graph, source)
  victim.input.append(source.choice(["call", "^call"]))


def _variants(meta_graph: Any, source: random.Random, proto: Any) -> None:
  kind = source.randrange(3)
  if kind == 0:
    meta_graph.meta_info_def.tags.append(source.choice(["train", *_NAMES]))
  elif kind == 1:
    proto.meta_graphs.add().CopyFrom(meta_graph)
  else:
    meta_graph.graph_def.versions.producer = source.choice([0, 1, 2**31 - 1])
    meta_graph.graph_def.versions.min_consumer = source.choice([0, 2**31 - 1])


_CHANGES: tuple[Callable[[Any, random.Random, Any], None], ...] = (
  _remove, _repeat, _rename, _swap_op, _inputs, _cycle, _attributes, _shapes,
  _types, _signature, _collection, _functions, _variants,
)  # fmt: skip
