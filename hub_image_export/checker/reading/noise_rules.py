# SPDX-License-Identifier: Apache-2.0
"""Random numbers that are put on an output as such (C5).

Inside of the network, before a layer, they are the publisher's choice.
"""

from __future__ import annotations

from collections.abc import Iterable

from hub_image_export import contract
from hub_image_export.checker.judged import JudgedSignature
from hub_image_export.checker.report import Found
from hub_image_export.untrusted.graph import (
  Graph,
  body,
  function_names,
  is_random,
  node_name,
  output_index,
)

_PRODUCTS = frozenset({"Mul", "RealDiv", "Select", "SelectV2"})
_SUMS = frozenset(
  {
    "Add", "AddV2", "AddN", "BiasAdd", "Sub", "Maximum", "Minimum", "Pow",
    "SquaredDifference", "Div", "DivNoNan", "MulNoNan", "FloorDiv", "Mod",
  }
)  # fmt: skip
# What changes each number of an output by itself, and the way out of a branch.
_ELEMENTWISE = frozenset(
  {
    "Relu", "Relu6", "Elu", "Selu", "LeakyRelu", "Tanh", "Sigmoid", "Softplus",
    "Softmax", "LogSoftmax", "Exp", "Log", "Neg", "Abs", "Square", "Sqrt",
    "Round", "Floor", "Ceil", "Sign", "ClipByValue", "Merge", "RefMerge",
  }
)  # fmt: skip
# They need the shape of what they read, and no values.
_SHAPES = frozenset(
  {"Shape", "ShapeN", "Size", "Rank", "ZerosLike", "OnesLike"}
)


def check_noise(signature: JudgedSignature, tensor: str) -> Found:
  """In inference nothing may be random; in training, nothing put on outputs."""
  variant = signature.variant
  fed = map(node_name, signature.input_tensors)
  is_inference = variant.tags == contract.INFERENCE_TAGS
  place = signature.where(f'output "{contract.DEFAULT_OUTPUT}"')
  found = innermost(variant.graph, variant.graph, tensor, list(fed))
  yield from find_noise(*found, is_inference, place)


def innermost(
  library: Graph, graph: Graph, tensor: str, fed: list[str]
) -> tuple[Graph, str, list[str]]:
  """Where `tensor` is computed: a graph or function, and what it is given.

  Args:
    library: has the functions.
    graph: that `tensor` is in.
    tensor: what is computed.
    fed: the nodes that stand for images, and what else callers give.

  Returns:
    All three within the function that a call is of, or as they were.
  """
  seen: set[str] = set()
  while True:
    source = graph.behind_forwarding(tensor)
    call = graph.nodes.get(node_name(source))
    names = function_names(call) if call is not None else []
    called = [name for name in names if name in library.functions]
    if len(called) != 1 or called[0] in seen:
      return graph, tensor, fed
    seen.add(called[0])
    function = library.functions[called[0]]
    outputs, index = function.signature.output_arg, output_index(source)
    if index >= len(outputs) or outputs[index].name not in function.ret:
      return graph, tensor, fed
    given = _values_from(graph, graph.readers(graph.nodes), fed)
    arguments = [a.name for a in function.signature.input_arg]
    fed = [
      argument
      for argument, t in zip(arguments, graph.data_inputs(node_name(source)))
      if node_name(t) in given
    ]
    graph, tensor = body(function), function.ret[outputs[index].name]


def find_noise(
  graph: Graph,
  tensor: str,
  fed: Iterable[str],
  is_inference: bool,
  place: str,
) -> Found:
  """Random numbers on `tensor`, which depends on the nodes that are `fed`."""
  node = _noise(graph, tensor, fed)
  if not node:
    return
  product = graph.op(node) in _PRODUCTS
  how = "multiplies the output with random numbers"
  if not product:
    how = "adds random numbers to the output"
  text = f"{node} {how}; expected none."
  if is_inference:
    text += " Keep randomness and state out of the inference variant."
    yield "not-deterministic", place, text
    return
  what = "dropout of" if product else "noise on"
  text += f" Leave {what} the features to the consumer."
  yield "dropout-on-output", place, text


def _noise(graph: Graph, tensor: str, fed: Iterable[str]) -> str | None:
  """The node that combines `tensor` with random numbers, if there is one.

  It combines them with what depends on the nodes that are `fed`: random
  numbers that are combined with a constant are none that an output gets.
  """
  draws = [name for name in graph.nodes if _draws(graph.op(name))]
  if not draws:
    return None
  readers = graph.readers(graph.nodes)
  of_images = _values_from(graph, readers, fed)
  only_noise = _values_from(graph, readers, draws) - of_images
  pending, seen = [tensor], set()
  while pending:
    name = node_name(graph.behind_forwarding(pending.pop()))
    if name in seen or graph.op(name) not in _PRODUCTS | _SUMS | _ELEMENTWISE:
      continue
    seen.add(name)
    operands = graph.data_inputs(name)
    pending += operands
    if graph.op(name) not in _ELEMENTWISE:
      nodes = set(map(node_name, operands))
      if nodes & only_noise and nodes & of_images:
        return name
  return None


def _values_from(
  graph: Graph, readers: dict[str, list[str]], nodes: Iterable[str]
) -> set[str]:
  """What depends on values of `nodes`, themselves included."""
  pending, found = list(nodes), set()
  while pending:
    name = pending.pop()
    if name not in found and graph.op(name) not in _SHAPES:
      found.add(name)
      pending += readers.get(name, ())
  return found


def _draws(op: str) -> bool:
  """Whether a node draws anew each time; from a fixed seed, it does not."""
  return is_random(op) and not op.startswith("Stateless")
