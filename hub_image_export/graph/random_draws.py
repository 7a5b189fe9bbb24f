# SPDX-License-Identifier: Apache-2.0
"""Plain random ops in the place of those that are seeded by a state."""

from __future__ import annotations

from hub_image_export.graph import graph_defs
from hub_image_export.graph.portability.substitution import (
  Substitution,
  attrs_of,
)
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import NodeDef

# By the kind of the draw: the plain op, and the inputs that follow the seeds.
_UNIFORM, _NORMAL = "RandomUniform", "RandomStandardNormal"
_TRUNCATED, _INTEGER = "TruncatedNormal", "RandomUniformInt"
_PLAIN = {
  "StatelessRandomUniform": (_UNIFORM, (0,)),
  "StatelessRandomNormal": (_NORMAL, (0,)),
  "StatelessTruncatedNormal": (_TRUNCATED, (0,)),
  "StatelessRandomUniformInt": (_INTEGER, (0, 2, 3)),
  "StatelessRandomUniformV2": (_UNIFORM, (0,)),
  "StatelessRandomNormalV2": (_NORMAL, (0,)),
  "StatelessTruncatedNormalV2": (_TRUNCATED, (0,)),
  "StatelessRandomUniformIntV2": (_INTEGER, (0, 4, 5)),
  "StatelessMultinomial": ("Multinomial", (0, 1)),
  "StatefulUniform": (_UNIFORM, (2,)),
  "StatefulStandardNormal": (_NORMAL, (1,)),
  "StatefulStandardNormalV2": (_NORMAL, (2,)),
  "StatefulTruncatedNormal": (_TRUNCATED, (2,)),
  "StatefulUniformInt": (_INTEGER, (2, 3, 4)),
}
# Integers of the whole range, by the input with the shape.
_FULL_RANGE = {
  "StatelessRandomUniformFullInt": 0,
  "StatelessRandomUniformFullIntV2": 0,
  "StatefulUniformFullInt": 2,
}
DRAWS = frozenset({*_PLAIN, *_FULL_RANGE})

_SEEDS = {"seed": 0, "seed2": 0}
_SIGNED = {tf.uint32: tf.int32, tf.uint64: tf.int64}


def _shape_type(node: NodeDef):
  for name in ("Tshape", "shape_dtype", "T"):
    if name in node.attr:
      return node.attr[name]
  raise AssertionError(f"{node.op} has no type of its shape")


def _dtype(node: NodeDef):
  return tf.dtypes.as_dtype(node.attr["dtype"].type)


def _integers(new: Substitution, shape: str, shape_type, dtype) -> None:
  """Finishes with integers of any value of `dtype` (but the last)."""
  signed = _SIGNED.get(dtype, dtype)
  numpy_dtype = signed.as_numpy_dtype
  low = new.constant(signed.min, numpy_dtype)
  high = new.constant(signed.max, numpy_dtype)
  inputs = [shape, low, high]
  attrs = {"T": shape_type, "Tout": signed, **_SEEDS}
  if signed == dtype:
    new.finish(_INTEGER, inputs, **attrs)
  else:
    drawn = new.add(_INTEGER, inputs, **attrs)
    new.finish("Bitcast", [drawn], T=signed, type=dtype)


def draw_state(node: NodeDef, new: Substitution) -> None:
  """Lets a read of random state give random integers."""
  shape = new.constant(graph_defs.output_shape(node))
  _integers(new, shape, tf.int32, _dtype(node))


def draw_plainly(node: NodeDef, new: Substitution) -> None:
  """Replaces one of DRAWS, where its type has a plain op."""
  if node.op in _FULL_RANGE:
    shape = node.input[_FULL_RANGE[node.op]]
    _integers(new, shape, _shape_type(node), _dtype(node))
  else:
    op, indices = _PLAIN[node.op]
    inputs = [node.input[i] for i in indices]
    new.finish(op, inputs, **_plain_attrs(op, node), **_SEEDS)


def _plain_attrs(op: str, node: NodeDef) -> dict:
  if op == "Multinomial":
    return attrs_of(node, "T", "output_dtype")
  name = "Tout" if op == _INTEGER else "dtype"
  return {"T": _shape_type(node), name: node.attr["dtype"]}
