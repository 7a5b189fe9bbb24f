"""Einsum as matrix products, which TensorFlow 1.15 can differentiate."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from hub_image_export.graph.portability.substitution import (
  Substitution,
  substitute,
)
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import GraphDef, NodeDef


@dataclasses.dataclass
class _Operand:
  """A tensor and the labels of its axes, one character each."""

  tensor: str
  labels: str


class _Product:
  """Spells out one Einsum of one or two operands."""

  def __init__(self, new: Substitution, operands: list[_Operand], output: str):
    self._new = new
    self._t = {"T": new.node.attr["T"]}
    self._operands = operands
    self._output = output
    self._sizes: dict[str, int | None] = {}
    self._axes: dict[str, tuple[str, int]] = {}
    for index, operand in enumerate(operands):
      shape = new.input_shape(index) or [None] * len(operand.labels)
      for axis, (label, size) in enumerate(zip(operand.labels, shape)):
        self._axes.setdefault(label, (operand.tensor, axis))
        if self._sizes.get(label) is None:
          self._sizes[label] = size

  def spell_out(self) -> None:
    operands = [self._summed(i) for i in range(len(self._operands))]
    result = operands[0]
    if len(operands) == 2:
      result = self._multiplied(*operands)
    result = self._transposed(result, self._output)
    self._new.finish("Identity", [result.tensor], **self._t)

  def _summed(self, index: int) -> _Operand:
    """Sums over the axes that no other operand, nor the output, has."""
    operand = self._operands[index]
    others = [o.labels for i, o in enumerate(self._operands) if i != index]
    kept = "".join([*others, self._output])
    axes = [i for i, label in enumerate(operand.labels) if label not in kept]
    if not axes:
      return operand
    axes_name = self._new.constant(axes)
    inputs = [operand.tensor, axes_name]
    tensor = self._new.add("Sum", inputs, Tidx=tf.int32, **self._t)
    return _Operand(tensor, "".join(i for i in operand.labels if i in kept))

  def _multiplied(self, x: _Operand, y: _Operand) -> _Operand:
    both = [label for label in x.labels if label in y.labels]
    batch = "".join(i for i in self._output if i in both)
    inner = "".join(i for i in both if i not in batch)
    rows = "".join(i for i in x.labels if i not in both)
    columns = "".join(i for i in y.labels if i not in both)
    left = self._matrix(x, [*batch, rows, inner])
    right = self._matrix(y, [*batch, inner, columns])
    op = "BatchMatMulV2" if batch else "MatMul"
    tensor = self._new.add(op, [left, right], **self._t)
    if len(rows) != 1 or len(columns) != 1:
      tensor = self._reshaped(tensor, [*batch, *rows, *columns])
    return _Operand(tensor, batch + rows + columns)

  def _matrix(self, operand: _Operand, groups: list[str]) -> str:
    """The operand with one axis for each group of labels."""
    tensor = self._transposed(operand, "".join(groups)).tensor
    if all(len(group) == 1 for group in groups):
      return tensor
    return self._reshaped(tensor, groups)

  def _transposed(self, operand: _Operand, labels: str) -> _Operand:
    if operand.labels == labels:
      return operand
    order = self._new.constant([operand.labels.index(i) for i in labels])
    t = {"Tperm": tf.int32, **self._t}
    return _Operand(
      self._new.add("Transpose", [operand.tensor, order], **t), labels
    )

  def _reshaped(self, tensor: str, groups: Sequence[str]) -> str:
    sizes = [self._size(group) for group in groups]
    if sizes.count(None) <= 1:
      shape = self._new.constant([-1 if s is None else s for s in sizes])
    else:
      parts = [self._size_tensor(group) for group in groups]
      n = len(parts)
      shape = self._new.add("Pack", parts, N=n, T=tf.int32, axis=0)
    t = {"Tshape": tf.int32, **self._t}
    return self._new.add("Reshape", [tensor, shape], **t)

  def _size(self, group: str) -> int | None:
    sizes = [self._sizes[label] for label in group]
    return None if None in sizes else math.prod(sizes)

  def _size_tensor(self, group: str) -> str:
    """An int32 scalar: the product of the sizes of the axes in a group."""
    result = self._new.constant(
      math.prod(self._sizes[i] for i in group if self._sizes[i] is not None)
    )
    for label in group:
      if self._sizes[label] is None:
        size = self._axis_size(label)
        result = self._new.add("Mul", [result, size], T=tf.int32)
    return result

  def _axis_size(self, label: str) -> str:
    tensor, axis = self._axes[label]
    shape = self._new.add("Shape", [tensor], out_type=tf.int32, **self._t)
    bounds = [self._new.constant([i]) for i in (axis, axis + 1, 1)]
    types = {"T": tf.int32, "Index": tf.int32}
    return self._new.add(
      "StridedSlice", [shape, *bounds], shrink_axis_mask=1, **types
    )


def _with_ellipsis(labels: str, num_axes: int, free: str) -> str:
  """`labels` with one label for each axis that its ellipsis stands for."""
  if "..." not in labels:
    return labels
  count = num_axes - (len(labels) - len("..."))
  return labels.replace("...", free[len(free) - count :])


def _is_matrix_product(new: Substitution, operands: list[_Operand]) -> bool:
  """Whether no axis is broadcast and no diagonal is taken."""
  sizes: dict[str, set] = {}
  for index, operand in enumerate(operands):
    if len(set(operand.labels)) != len(operand.labels):
      return False
    shape = new.input_shape(index) or []
    for label, size in zip(operand.labels, shape):
      sizes.setdefault(label, set()).add(size)
  return not any(1 in found and len(found) > 1 for found in sizes.values())


def _multiplied_out(node: NodeDef, new: Substitution) -> None:
  inputs, _, output = node.attr["equation"].s.decode().partition("->")
  terms = inputs.split(",")
  ranks = [len(new.input_shape(i) or ()) for i in range(len(terms))]
  if any("..." in t and not rank for t, rank in zip(terms, ranks)):
    return
  used = inputs + output
  free = "".join(chr(i) for i in range(0x100, 0x110))
  free = "".join(label for label in free if label not in used)
  terms = [_with_ellipsis(t, rank, free) for t, rank in zip(terms, ranks)]
  if "..." in output:
    batch = max((t for t in terms), key=lambda t: sum(i in free for i in t))
    labels = "".join(i for i in batch if i in free)
    output = output.replace("...", labels)
  operands = [_Operand(*pair) for pair in zip(node.input, terms)]
  if len(set(output)) == len(output) and _is_matrix_product(new, operands):
    _Product(new, operands, output).spell_out()


def multiply_out_einsum(graph_def: GraphDef) -> int:
  """Spells `Einsum` out as transposes, reshapes and a matrix product.

  TF 1.15 computes it but has no gradient: attention layers (Keras 2) and
  `EinsumDense` could not be fine-tuned. Where an axis is broadcast, or a
  diagonal taken, it is no matrix product and stays.
  """
  return substitute(graph_def, ("Einsum",), _multiplied_out)
