# SPDX-License-Identifier: Apache-2.0
"""Loops whose number of rounds is fixed, as the rounds themselves.

TensorFlow 1.15 has no gradient for a loop of TensorFlow 2, and none has one
for two copies of it in one graph, as two uses of one module are: gradients add
functions that are named after the loop's. Recurrent layers loop over rows or
columns of images, whose number is known.
"""

from __future__ import annotations

from hub_image_export.graph.called_functions import LOOPS, called
from hub_image_export.graph.constant_values import constant_values, session_of
from hub_image_export.graph.graph_defs import ancestors, data_inputs, prune
from hub_image_export.graph.inline import inline_calls
from hub_image_export.graph.program_order import drop_control_inputs
from hub_image_export.tensorflow_api import known_ops
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import GraphDef, NodeDef

# More nodes than that load slowly; it is a network of some hundred layers.
_MOST_NODES = 5000


def rounds(graph_def: GraphDef, node: NodeDef) -> list[NodeDef]:
  """Calls of a loop's body that do what the loop does, if they are few.

  Args:
    graph_def: see `constant_values`.
    node: any one of its nodes: only loops have calls.
  """
  if node.op not in LOOPS:
    return []
  body = called(node)[0].name
  nodes = next(
    f.node_def for f in graph_def.library.function if f.signature.name == body
  )
  most = _MOST_NODES // max(1, len(nodes))
  return _rounds_of(node, _count(graph_def, node, most))


def _rounds_of(loop: NodeDef, count: int) -> list[NodeDef]:
  """Calls of a loop's body, the last of which has the loop's name."""
  body = called(loop)[0].name
  inputs = list(loop.input)
  calls = []
  for i in range(count):
    name = loop.name if i == count - 1 else f"{loop.name}/round_{i}"
    calls.append(NodeDef(name=name, op=body, input=inputs))
    inputs = [f"{name}:{j}" for j in range(len(data_inputs(loop)))]
    inputs = [*inputs, f"^{name}"]
  return calls


def _count(graph_def: GraphDef, loop: NodeDef, most: int) -> int:
  """How many rounds a loop has; 0 if that is not fixed, or more than `most`."""
  step, arguments = _step(graph_def, loop)
  needed: set[str] = set()
  wanted = ["go"]
  while True:
    behind = ancestors(step, wanted)
    new = [name for name in arguments if name in behind and name not in needed]
    if not new:
      break
    needed.update(new)
    wanted += [f"next_{name}" for name in new]
  step = prune(step, wanted)
  tensors = {n: data_inputs(loop)[arguments.index(n)] for n in sorted(needed)}
  values = constant_values(graph_def, list(tensors.values()))
  if values is None or not all(
    known_ops.only_computes(n.op) for n in step.node
  ):
    return 0
  with session_of(step) as session:
    state = dict(zip(tensors, values))
    for count in range(most + 1):
      results = session.run(
        {name: f"{name}:0" for name in wanted},
        {f"{name}:0": value for name, value in state.items()},
      )
      if not results["go"]:
        return count
      state = {name: results[f"next_{name}"] for name in state}
  return 0


def _step(graph_def: GraphDef, loop: NodeDef) -> tuple[GraphDef, list[str]]:
  """A graph of a loop's condition ("go") and of one round.

  Returns:
    The graph, and names of its arguments: `next_NAME` is what the round makes
    of the argument NAME.
  """
  body, condition = (reference.name for reference in called(loop))
  types = loop.attr["T"].list.type
  names = [f"argument_{i}" for i in range(len(types))]
  step = GraphDef(versions=graph_def.versions, library=graph_def.library)
  for name, dtype in zip(names, types):
    step.node.add(name=name, op="Placeholder").attr["dtype"].type = dtype
  step.node.add(name="body", op=body, input=names)
  step.node.add(name="condition", op=condition, input=names)
  for i, (name, dtype) in enumerate(zip(names, types)):
    passed = step.node.add(name=f"next_{name}", op="Identity")
    passed.input.append(f"body:{i}")
    passed.attr["T"].type = dtype
  go = step.node.add(name="go", op="Identity", input=["condition"])
  go.attr["T"].type = tf.bool.as_datatype_enum
  step = inline_calls(step)
  drop_control_inputs(step.node)
  return step, names
