# SPDX-License-Identifier: Apache-2.0
"""Einsum as matrix products, which TensorFlow 1.15 can differentiate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from hub_image_export.graph.portability.substitution import (
  Substitution,
  rewrite_of,
)
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import NodeDef

# Labels for the axes that an ellipsis stands for: letters of no equation.
_FREE = "".join(chr(i) for i in range(0x100, 0x110))


@rewrite_of("Einsum")
def multiply_out_einsum(node: NodeDef, new: Substitution) -> None:
  """Spells `Einsum` out as transposes, reshapes and a matrix product.

  TF 1.15 computes it but has no gradient: attention layers (Keras 2) and
  `EinsumDense` could not be fine-tuned. Where an axis is broadcast, or a
  diagonal taken, it is no matrix product and stays.
  """
  inputs, _, output = new.attr("equation").partition("->")
  terms = inputs.split(",")
  shapes = [new.input_shape(i) for i in range(len(terms))]
  if any("..." in t and not shape for t, shape in zip(terms, shapes)):
    return
  terms = [_with_ellipsis(t, len(shape)) for t, shape in zip(terms, shapes)]
  if "..." in output:
    of_ellipsis = ["".join(i for i in term if i in _FREE) for term in terms]
    output = output.replace("...", max(of_ellipsis, key=len))
  if all(len(set(t)) == len(t) for t in [*terms, output]) and not (
    _is_broadcast(terms, shapes)
  ):
    new.compute(lambda *tensors: _Product(tensors, terms).of(output))


def _with_ellipsis(labels: str, num_axes: int) -> str:
  """`labels` with one label for each axis that its ellipsis stands for."""
  if "..." not in labels:
    return labels
  count = num_axes - (len(labels) - len("..."))
  return labels.replace("...", _FREE[len(_FREE) - count :])


def _is_broadcast(
  terms: Sequence[str], shapes: Sequence[Sequence[int | None]]
) -> bool:
  """Whether an axis has size 1 in one operand and another size elsewhere."""
  sizes: dict[str, set] = {}
  for labels, shape in zip(terms, shapes):
    for label, size in zip(labels, shape):
      sizes.setdefault(label, set()).add(size)
  return any(1 in found and len(found) > 1 for found in sizes.values())


class _Product:
  """One or two tensors, with a label for each of their axes."""

  def __init__(self, tensors: Sequence[Any], terms: Sequence[str]):
    self._operands = list(zip(tensors, terms))
    # By label, where a size is not known an int32 scalar.
    self._sizes: dict[str, Any] = {}
    for tensor, labels in self._operands:
      if tensor.shape.rank is None:
        tensor.set_shape([None] * len(labels))
      for axis, label in enumerate(labels):
        if tensor.shape[axis] is not None:
          self._sizes[label] = tensor.shape[axis]
        elif label not in self._sizes:
          self._sizes[label] = tf.shape(tensor)[axis]

  def of(self, output: str) -> Any:
    """The product with axes in the order of these labels."""
    operands = [self._summed(i, output) for i in range(len(self._operands))]
    if len(operands) == 1:
      return _transposed(*operands[0], output)
    (x, rows), (y, columns) = operands
    both = [label for label in rows if label in columns]
    batch = [label for label in output if label in both]
    inner = "".join(label for label in both if label not in batch)
    of_x = "".join(label for label in rows if label not in both)
    of_y = "".join(label for label in columns if label not in both)
    product = tf.matmul(
      self._grouped(x, rows, [*batch, of_x, inner]),
      self._grouped(y, columns, [*batch, inner, of_y]),
    )
    labels = "".join([*batch, of_x, of_y])
    if len(of_x) != 1 or len(of_y) != 1:
      product = self._reshaped(product, labels)
    return _transposed(product, labels, output)

  def _summed(self, index: int, output: str) -> tuple[Any, str]:
    """Sums over the axes that no other operand, nor the output, has."""
    tensor, labels = self._operands[index]
    others = [o for i, (_, o) in enumerate(self._operands) if i != index]
    kept = [i for i in labels if i in "".join([*others, output])]
    axes = [axis for axis, label in enumerate(labels) if label not in kept]
    return tf.reduce_sum(tensor, axes) if axes else tensor, "".join(kept)

  def _grouped(self, tensor: Any, labels: str, groups: Sequence[str]) -> Any:
    """A tensor with one axis for each group of labels."""
    tensor = _transposed(tensor, labels, "".join(groups))
    if all(len(group) == 1 for group in groups):
      return tensor
    return self._reshaped(tensor, groups)

  def _reshaped(self, tensor: Any, groups: Sequence[str]) -> Any:
    sizes = [math.prod(self._sizes[i] for i in group) for group in groups]
    unknown = [i for i, size in enumerate(sizes) if tf.is_tensor(size)]
    if len(unknown) == 1:
      sizes[unknown[0]] = -1
    return tf.reshape(tensor, sizes)


def _transposed(tensor: Any, labels: str, wanted: str) -> Any:
  if labels == wanted:
    return tensor
  return tf.transpose(tensor, [labels.index(label) for label in wanted])
