# SPDX-License-Identifier: Apache-2.0
"""Random steps made comparable: every draw gives one value, on both sides.

Fractions are 0.75, which keeps what dropout of less than 0.75 might drop,
integers the lowest that they may be, and nothing is shuffled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import GraphDef, NodeDef

_VALUE = 0.75
# Ops that draw floats, by the input with the shape.
_FLOATS = {
  "RandomUniform": 0,
  "RandomStandardNormal": 0,
  "TruncatedNormal": 0,
  "StatelessRandomUniform": 0,
  "StatelessRandomNormal": 0,
  "StatelessTruncatedNormal": 0,
  "StatelessRandomUniformV2": 0,
  "StatelessRandomNormalV2": 0,
  "StatelessTruncatedNormalV2": 0,
  "StatefulUniform": 2,
  "StatefulStandardNormal": 1,
  "StatefulStandardNormalV2": 2,
  "StatefulTruncatedNormal": 2,
}
# Ops that draw integers, by the inputs with the shape and the lowest.
_INTEGERS = {
  "RandomUniformInt": (0, 1),
  "StatelessRandomUniformInt": (0, 2),
  "StatelessRandomUniformIntV2": (0, 4),
  "StatefulUniformInt": (2, 3),
}
_SHUFFLES = frozenset({"RandomShuffle", "StatelessShuffle"})


def draw(op: str, arguments: Sequence[Any], run: Any) -> Any:
  """Runs an eager op, or gives the fixed value of a draw."""
  if op in _FLOATS:
    dtype = tf.float32
    for name, value in zip(arguments, arguments[1:]):
      if isinstance(name, str) and name == "dtype":
        dtype = tf.as_dtype(value)
    shape = tf.cast(arguments[_FLOATS[op]], tf.int32)
    return tf.fill(shape, tf.cast(_VALUE, dtype))
  if op in _INTEGERS:
    shape, lowest = (arguments[i] for i in _INTEGERS[op])
    return tf.fill(tf.cast(shape, tf.int32), tf.convert_to_tensor(lowest))
  if op in _SHUFFLES:
    return tf.identity(arguments[0])
  return run(arguments)


def fix(graph_def: GraphDef) -> int:
  """Gives the draws of a graph, and of its functions, fixed values, in place.

  Returns:
    The number of draws.
  """
  count = _fix_all(graph_def.node, "")
  for body in graph_def.library.function:
    count += _fix_all(body.node_def, ":output:0")
  return count


def _fix_all(nodes: Any, output: str) -> int:
  """Fixes nodes; `output` follows a name where the output is meant."""
  constants: dict[int, NodeDef] = {}
  count = sum(_fix(node, constants, output) for node in list(nodes))
  nodes.extend(constants.values())
  return count


def _fix(node: NodeDef, constants: dict[int, NodeDef], output: str) -> bool:
  if node.op not in {*_FLOATS, *_INTEGERS, *_SHUFFLES}:
    return False  # Not even asked for attributes, which would make them.
  controls = [name for name in node.input if name.startswith("^")]
  dtype: Any = node.attr["Tout" if "Tout" in node.attr else "dtype"].type
  if node.op in _FLOATS:
    constant = constants.setdefault(dtype, _constant(dtype))
    inputs = [node.input[_FLOATS[node.op]], constant.name + output]
  elif node.op in _INTEGERS:
    inputs = [node.input[i] for i in _INTEGERS[node.op]]
  else:
    inputs, dtype = [node.input[0]], node.attr["T"].type
  shape_type = next(
    node.attr[name].type
    for name in ("Tshape", "shape_dtype", "T")
    if name in node.attr
  )
  fills = node.op not in _SHUFFLES
  node.op = "Fill" if fills else "Identity"
  node.input[:] = [*inputs, *controls]
  node.attr.clear()
  node.attr["T"].type = dtype
  if fills:
    node.attr["index_type"].type = shape_type
  return True


def _constant(dtype: Any) -> NodeDef:
  """Under a name that no network has."""
  node = NodeDef(name=f"fixed_draw_of_type_{dtype}", op="Const")
  node.attr["dtype"].type = dtype
  value = tf.cast(_VALUE, tf.as_dtype(dtype)).numpy()
  node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
  return node
