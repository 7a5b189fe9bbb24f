"""Functions inside of graphs: inlined where they are called, or renamed.

A `tf.function` in the user's code, and all of a loaded SavedModel, stand in a
traced graph as calls. TF 1.15 has no gradient for these, and a call moves the
moving averages whenever its outputs are evaluated (F4): the body has to stand
in the graph itself.
"""

from __future__ import annotations

import hashlib

from hub_image_export.graph.graph_defs import (
  canonical,
  data_inputs,
  node_of,
  replace_inputs,
  resolve_chains,
)
from hub_image_export.tensorflow_api.private import function_def_to_graph_def
from hub_image_export.tensorflow_api.protos import GraphDef

_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})


def inline_calls(graph_def: GraphDef) -> GraphDef:
  """Returns a copy in which no function is called.

  Functional `If` and `While` keep their bodies. Control inputs inside a
  function order its side effects, which is what F4 forbids: they are dropped.
  """
  bodies = {f.signature.name: f for f in graph_def.library.function}
  result = GraphDef()
  result.CopyFrom(graph_def)
  while any(_is_call(node, bodies) for node in result.node):
    result = _inline_once(result, bodies)
  return result


def _is_call(node, bodies) -> bool:
  return node.op in _CALLS or node.op in bodies


def _inline_once(graph_def: GraphDef, bodies) -> GraphDef:
  result = GraphDef(versions=graph_def.versions, library=graph_def.library)
  outputs: dict[str, str] = {}
  calls: set[str] = set()
  for node in graph_def.node:
    if not _is_call(node, bodies):
      result.node.add().CopyFrom(node)
      continue
    calls.add(node.name)
    name = node.attr["f"].func.name if node.op in _CALLS else node.op
    nodes, returned = _body(node, bodies[name])
    result.node.extend(nodes)
    for i, tensor in enumerate(returned):
      outputs[canonical(f"{node.name}:{i}")] = tensor
  resolve_chains(outputs)
  replace_inputs(result, outputs)
  _drop_control_inputs(result, calls)
  return result


def _body(call, function) -> tuple[list, list[str]]:
  """The nodes of a function's body, and the tensors that it returns."""
  body, flat_names = function_def_to_graph_def(function)
  prefix = call.name + "/"
  arguments = {
    arg.name: canonical(tensor)
    for arg, tensor in zip(function.signature.input_arg, data_inputs(call))
  }

  def outer(tensor: str) -> str:
    tensor = canonical(tensor)
    return arguments.get(tensor) or prefix + tensor

  nodes = []
  for node in body.node:
    if node.name in arguments:
      continue
    inputs = [outer(tensor) for tensor in data_inputs(node)]
    node.name = prefix + node.name
    node.input[:] = inputs
    nodes.append(node)
  returned = [
    outer(flat_names[function.ret[arg.name]])
    for arg in function.signature.output_arg
  ]
  return nodes, returned


def _drop_control_inputs(graph_def: GraphDef, calls: set[str]) -> None:
  for node in graph_def.node:
    kept = [
      name
      for name in node.input
      if not (name.startswith("^") and node_of(name) in calls)
    ]
    if len(kept) != len(node.input):
      node.input[:] = kept


def name_by_content(graph_def: GraphDef) -> GraphDef:
  """Returns the graph with functions named by a hash of their content.

  TensorFlow numbers functions within a process, so two modules would clash in
  a consumer's graph; some of its names for arguments have these numbers, too.
  Functions that nothing refers to are left out.
  """
  if not graph_def.library.function:
    return graph_def
  bodies = {f.signature.name: f for f in graph_def.library.function}
  renamed: dict[str, str] = {}
  result = GraphDef(versions=graph_def.versions)
  result.node.extend(graph_def.node)

  def rename(nodes) -> None:
    for node in nodes:
      for key in sorted(node.attr):
        value = node.attr[key]
        references = [value.func] if value.HasField("func") else value.list.func
        for reference in references:
          reference.name = final_name(reference.name)

  def final_name(name: str) -> str:
    if name not in renamed and name in bodies:
      function = result.library.function.add()
      function.CopyFrom(bodies[name])
      _number_arguments(function)
      rename(function.node_def)
      function.signature.name = "function"
      content = function.SerializeToString(deterministic=True)
      digest = hashlib.sha256(content).hexdigest()[:16]
      function.signature.name = renamed[name] = f"function_{digest}"
    return renamed.get(name, name)

  rename(result.node)
  return result


def _number_arguments(function) -> None:
  """Renames arguments to `argument_0`, `argument_1` and so on."""
  taken = {node.name for node in function.node_def}
  prefix = "argument"
  while any(name.startswith(f"{prefix}_") for name in taken):
    prefix += "_"
  renamed = {}
  for i, argument in enumerate(function.signature.input_arg):
    renamed[argument.name] = argument.name = f"{prefix}_{i}"
  for node in function.node_def:
    node.input[:] = [renamed.get(name, name) for name in node.input]
  for name, tensor in list(function.ret.items()):
    function.ret[name] = renamed.get(tensor, tensor)
