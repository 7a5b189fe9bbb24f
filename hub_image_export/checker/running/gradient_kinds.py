# SPDX-License-Identifier: Apache-2.0
"""Whether all variables get a gradient, told from the kinds of ops.

`tf.gradients` asks each op between outputs and variables for its gradient, and
builds it: for a network, that takes longer than to load and to run it. Ops of
one kind answer alike, though. Here one of each kind is asked.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Hashable, Iterable
from typing import Any

from hub_image_export.checker.judged import JudgedVariant
from hub_image_export.tensorflow_api import private
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.untrusted.graph import (
  VARIABLE_OPS,
  node_name,
  output_index,
)

# Their gradients depend on the loop or branch that they stand in.
_CONTROL_FLOW = frozenset(
  {
    "Enter", "Exit", "LoopCond", "Merge", "NextIteration", "Switch",
    "RefEnter", "RefExit", "RefMerge", "RefNextIteration", "RefSwitch",
  }
)  # fmt: skip
# What takes gradients that are given for some rows only, as any others.
_FORWARDING = frozenset({"Identity", "ReadVariableOp"})
_DENSE, _SPARSE = "dense", "sparse"


class Unsure(Exception):
  """The kinds of ops do not tell."""


def reach_all(
  variant: JudgedVariant,
  operation: Callable[[str], Any],
  outputs: Iterable[str],
) -> bool:
  """Whether each trainable variable certainly gets a gradient.

  Adds ops to the default graph, which is the one that the variant is in.

  Args:
    variant: whose variables.
    operation: from the name of a node to its operation in the graph.
    outputs: names of the tensors of which the gradients are.

  Returns:
    False where one gets none, or none can be built, or it is not known; then
    `tf.gradients` tells.
  """
  try:
    reached = _Kinds(variant, operation).reached(list(outputs))
  except (LookupError, ValueError, TypeError, NotImplementedError, Unsure):
    return False
  return reached.issuperset(variant.trainable)


class _Kinds:
  """The gradients of one variant."""

  def __init__(
    self, variant: JudgedVariant, operation: Callable[[str], Any]
  ) -> None:
    self._graph = variant.graph
    self._operation = operation
    self._variables = set(variant.trainable)
    self._known: dict[Hashable, list[str | None]] = {}

  def reached(self, outputs: list[str]) -> set[str]:
    """The nodes between variables and `outputs` that get a gradient."""
    between = self._between(outputs)
    waiting = collections.Counter(
      source for name in between for source in self._sources(name)
    )
    got: dict[str, dict[int, str]] = collections.defaultdict(dict)
    for tensor in outputs:
      got[node_name(tensor)][output_index(tensor)] = _DENSE
    ready = [name for name in between if not waiting[name]]
    while ready:
      name = ready.pop()
      answers = self._answers(name, got[name]) if got[name] else ()
      for tensor, answer in zip(self._graph.data_inputs(name), answers):
        if answer:
          indices = got[node_name(tensor)]
          index = output_index(tensor)
          indices[index] = max(answer, indices.get(index, answer))  # Sparse.
      for source in self._sources(name):
        waiting[source] -= 1
        if source in between and not waiting[source]:
          ready.append(source)
    return {name for name, indices in got.items() if indices}

  def _sources(self, name: str) -> list[str]:
    return [node_name(tensor) for tensor in self._graph.data_inputs(name)]

  def _between(self, outputs: list[str]) -> set[str]:
    """The nodes on the ways from a trainable variable to an output."""
    behind = self._graph.ancestors(outputs)
    readers: dict[str, list[str]] = {}
    for name in behind:
      for source in self._sources(name):
        readers.setdefault(source, []).append(name)
    pending = list(self._variables & behind)
    found = set(pending)
    while pending:
      for name in readers.get(pending.pop(), ()):
        if name not in found:
          found.add(name)
          pending.append(name)
    return found

  def _answers(self, name: str, given: dict[int, str]) -> list[str | None]:
    """How the op hands gradients on to each input, if it is given some."""
    node = self._graph.nodes[name]
    if node.op in VARIABLE_OPS:
      return []
    if _SPARSE in given.values():
      if node.op not in _FORWARDING:
        raise Unsure(node.op)
      return [_SPARSE]
    if (
      node.op in _CONTROL_FLOW
      or private.CUSTOM_GRADIENT in node.attr
      or self._graph.called(node)
    ):
      raise Unsure(node.op)
    operation = self._operation(name)
    kind = (
      node.op,
      *(
        (key, value.SerializeToString(deterministic=True))
        for key, value in sorted(node.attr.items())
        if not key.startswith("_")
      ),
      *(_kind(tensor) for tensor in operation.inputs),
    )
    if kind not in self._known:
      self._known[kind] = _ask(operation)
    return self._known[kind]


def _kind(tensor: Any) -> Hashable:
  """What a gradient function may look at: not sizes, but if they are known."""
  shape = tensor.shape
  known = None if shape.rank is None else tuple(d is None for d in shape)
  return tensor.dtype.base_dtype, known


def _ask(operation: Any) -> list[str | None]:
  """Builds the gradient of an operation whose outputs all get some."""
  function = private.gradient_function(operation)
  if function is None:
    return []
  given = [
    tf.compat.v1.placeholder(tensor.dtype.base_dtype, tensor.shape)
    if tensor.dtype.is_floating or tensor.dtype.is_complex
    else None
    for tensor in operation.outputs
  ]
  answers = function(operation, *given)
  if not isinstance(answers, (list, tuple)):
    answers = [answers]
  if len(answers) != len(operation.inputs):
    raise Unsure(operation.type)
  return [_answer(answer) for answer in answers]


def _answer(gradient: Any) -> str | None:
  if gradient is None:
    return None
  return _SPARSE if isinstance(gradient, tf.IndexedSlices) else _DENSE
