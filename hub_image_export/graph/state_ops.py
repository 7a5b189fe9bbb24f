# SPDX-License-Identifier: Apache-2.0
"""What each op does to a variable, in terms of the variable's value."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from hub_image_export.arguments import called
from hub_image_export.graph.graph_defs import ASSIGNMENTS, data_inputs
from hub_image_export.graph.portability.substitution import attr_value
from hub_image_export.tensorflow_api import known_ops
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import NodeDef

READS = frozenset({"ReadVariableOp", "ResourceGather", "ResourceGatherNd"})
_SCATTERS = frozenset(
  f"ResourceScatter{kind}"
  for kind in (
    *("Update", "Add", "Sub", "Mul", "Div", "Max", "Min"),
    *("NdUpdate", "NdAdd", "NdSub", "NdMax", "NdMin"),
  )
)
_NO_TENSOR_OPS = ("ResourceScatterMul", "ResourceScatterDiv")
# They advance the state of a tf.random.Generator; the former reads it before.
DRAWS = frozenset({"RngReadAndSkip", "RngSkip"})
WRITES = ASSIGNMENTS | _SCATTERS | {"ResourceStridedSliceAssign"} | DRAWS
READS_OR_WRITES = READS | WRITES
# They look at a variable, but not at its value.
LOOKS = frozenset({"DisableCopyOnRead", "VariableShape", "VarIsInitializedOp"})
# They hand on what they are given, values and variables alike.
PASSES = frozenset({"Identity", "IdentityN", "Switch", "Enter"})
# A collection of handles, beside the user's own: what comes from a graph of
# TF1 has an order by edges alone, wherever its variables were made.
UNORDERED = ("unordered",)
# A private attribute of reads that no value stands for: what to say if they
# are served.
REFUSED = "_refused"
_BLOCK = 256  # What a generator skips for each number.


@dataclasses.dataclass(frozen=True, eq=False)
class Cell:
  """A variable, as a graph knows it.

  Attributes:
    name: for messages.
    dtype: of its value.
    shape: of its value, a TensorShape.
    trainable: whether gradients are asked for it.
    unordered: whether only edges order what happens to it, as in TF1.
    replica_of: the variable of which this is another replica's copy.
  """

  name: str
  dtype: Any
  shape: Any
  trainable: bool = False
  unordered: bool = False
  replica_of: Cell | None = None


class NodeMaker:
  """Adds nodes to those of a graph, or of the body of a function.

  Attributes:
    nodes: all nodes so far, in program order.
  """

  def __init__(self, taken: set[str], in_function: bool) -> None:
    """Args: names that are taken; whether tensors are named as in bodies."""
    self.nodes: list[NodeDef] = []
    self._taken = taken
    self._in_function = in_function

  def output(self, node: NodeDef, index: int = 0) -> str:
    """The name of an output of the node."""
    if self._in_function:
      return f"{node.name}:{known_ops.first_output(node.op)}:{index}"
    return f"{node.name}:{index}" if index else node.name

  def free_name(self, base: str) -> str:
    name, count = base, 0
    while name in self._taken:
      count += 1
      name = f"{base}_{count}"
    self._taken.add(name)
    return name

  def add(
    self, base: str, op: str, inputs: list[str], shape: Any = None, **attrs: Any
  ) -> str:
    """Adds a node named after `base`; returns its first output."""
    node = NodeDef(name=self.free_name(base), op=op, input=inputs)
    # Bodies of functions are imported as they are, without defaults.
    defaults = known_ops.default_values(op) if self._in_function else {}
    for key, value in {**defaults, **attrs}.items():
      node.attr[key].CopyFrom(attr_value(value))
    if shape is not None and not self._in_function:
      node.attr["_output_shapes"].list.shape.append(shape.as_proto())
    self.nodes.append(node)
    return self.output(node)

  def constant(self, base: str, value: Any, dtype: Any = np.int32) -> str:
    array = np.asarray(value, dtype)
    dtype = tf.as_dtype(array.dtype)
    return self.add(base, "Const", [], dtype=dtype, value=array)


def refusal(node: NodeDef, cell: Cell | None, problem: str) -> ValueError:
  """What is said of an op that changes a variable as no module can."""
  variable = f"the variable {cell.name!r}" if cell else "a variable"
  return ValueError(
    f"the op {node.name!r} ({node.op}) uses {variable} in a way that a module "
    f"cannot: {problem}. Read and assign it instead, or leave the training "
    f"variant out with {called('training', False)}"
  )


def value_read(make: NodeMaker, node: NodeDef, cell: Cell, value: str) -> str:
  """What one of READS gives, where the variable has `value`."""
  if node.op == "ReadVariableOp":
    return value
  indices = node.attr["Tindices"]
  types = {"Tparams": cell.dtype, "Tindices": indices}
  if node.op == "ResourceGatherNd":
    inputs = [value, node.input[1]]
    return make.add(f"{node.name}/gather", "GatherNd", inputs, **types)
  dims = node.attr["batch_dims"].i
  axis = make.constant(f"{node.name}/axis", dims)
  return make.add(
    f"{node.name}/gather",
    "GatherV2",
    [value, node.input[1], axis],
    **types,
    Taxis=tf.int32,
    batch_dims=dims,
  )


def value_written(
  make: NodeMaker, node: NodeDef, cell: Cell, old: Callable[[], str]
) -> str:
  """The value that one of WRITES gives a variable that has the value `old`."""
  inputs = data_inputs(node)
  if node.op == "AssignVariableOp":
    return inputs[1]
  if node.op in _NO_TENSOR_OPS:
    raise refusal(node, cell, "it is used again after a scattered product")

  def add(op: str, inputs: list[str], shape: Any = None, **attrs: Any) -> str:
    return make.add(f"{node.name}/value", op, inputs, shape, **attrs)

  own = {"T": cell.dtype}
  if node.op in ASSIGNMENTS:
    op = "AddV2" if node.op == "AssignAddVariableOp" else "Sub"
    return add(op, [old(), inputs[1]], cell.shape, **own)
  if node.op in DRAWS:
    return _skipped(make, node, add, old())
  if node.op == "ResourceStridedSliceAssign":
    return _slice_assigned(make, node, cell, add, old())
  indices, types = inputs[1], {"Tindices": node.attr["Tindices"]}
  value, updates = old(), inputs[2]
  if "ScatterNd" not in node.op:
    axis = make.constant(f"{node.name}/axis", -1)
    indices = add("ExpandDims", [indices, axis], T=types["Tindices"])
    # One number may stand for all.
    rows = add("GatherNd", [value, indices], Tparams=cell.dtype, **types)
    sizes = add("Shape", [rows], **own)
    updates = add("BroadcastTo", [updates, sizes], **own)
  op = node.op.replace("Nd", "").replace("ResourceScatter", "TensorScatter")
  return add(op, [value, indices, updates], cell.shape, **own, **types)


def _skipped(make: NodeMaker, node: NodeDef, add: Any, state: str) -> str:
  """A generator's state, two counters and a key, after it drew numbers."""
  delta = data_inputs(node)[2]
  source = tf.uint64 if node.op == "RngReadAndSkip" else tf.int64
  delta = add("Cast", [delta], SrcT=source, DstT=tf.int64)
  skip = make.constant(f"{node.name}/skip", [_BLOCK, 0, 0], np.int64)
  delta = add("Mul", [delta, skip], T=tf.int64)
  return add("AddV2", [state, delta], T=tf.int64)


def _slice_assigned(
  make: NodeMaker, node: NodeDef, cell: Cell, add: Any, old: str
) -> str:
  """By positions: TensorStridedSliceUpdate ends TF 1.15 with SIGSEGV."""
  if not cell.shape.is_fully_defined():
    raise refusal(node, cell, "it has no static shape, but slices are assigned")
  _, begin, end, strides, new = data_inputs(node)
  shape, own, index = cell.shape.as_list(), {"T": cell.dtype}, {"T": tf.int32}
  bounds = {"Index": node.attr["Index"]}
  masks = {k: node.attr[k] for k in node.attr if k.endswith("_mask")}

  def const(value: Any) -> str:
    return make.constant(f"{node.name}/positions", value)

  positions = np.arange(cell.shape.num_elements()).reshape(shape)
  where = add(
    "StridedSlice",
    [const(positions), begin, end, strides],
    **index,
    **bounds,
    **masks,
  )
  new = add("BroadcastTo", [new, add("Shape", [where], **index)], **own)
  flat, column = const([-1]), const([-1, 1])
  new = add("Reshape", [new, flat], **own)
  where = add("Reshape", [where, column], **index)
  old = add("Reshape", [old, flat], **own)
  scattered = add(
    "TensorScatterUpdate", [old, where, new], **own, Tindices=tf.int32
  )
  return add("Reshape", [scattered, const(shape)], cell.shape, **own)
