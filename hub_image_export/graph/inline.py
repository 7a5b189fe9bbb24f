# SPDX-License-Identifier: Apache-2.0
"""Functions inside of graphs: inlined where they are called, or renamed.

A `tf.function` in the user's code, and all of a loaded SavedModel, stand in a
traced graph as calls. TF 1.15 has no gradient for these, and a call moves the
moving averages whenever its outputs are evaluated (F4): the body has to stand
in the graph itself.
"""

from __future__ import annotations

import collections
import hashlib
from collections.abc import Callable
from typing import Any

from hub_image_export.graph.called_functions import CALLS, LOOPS, called
from hub_image_export.graph.graph_defs import (
  all_nodes,
  canonical,
  data_inputs,
  is_ordered,
  node_of,
  replace_inputs,
  replace_nodes,
  resolve_chains,
)
from hub_image_export.graph.program_order import in_program_order
from hub_image_export.tensorflow_api import known_ops
from hub_image_export.tensorflow_api.private import function_def_to_graph_def
from hub_image_export.tensorflow_api.protos import (
  FunctionDef,
  GraphDef,
  NodeDef,
)


def inline_calls(graph_def: GraphDef) -> GraphDef:
  """Returns a copy in which no function is called.

  Functional `If` and `While` keep their bodies, which call no function either.
  Control inputs stay: they tell in which order variables are read and written.
  """
  result = GraphDef()
  result.CopyFrom(graph_def)
  bodies = {f.signature.name: f for f in result.library.function}
  for function in bodies.values():
    while any(_is_call(node, bodies) for node in function.node_def):
      nodes, outputs = _inline_once(function.node_def, bodies, _nested_body)
      del function.node_def[:]
      function.node_def.extend(nodes)
      for key, tensor in list(function.ret.items()):
        function.ret[key] = outputs.get(canonical(tensor), tensor)
    present = {node.name for node in function.node_def}
    for key in list(function.signature.control_output):
      if function.control_ret[key] not in present:  # It was a call.
        del function.control_ret[key]
        function.signature.control_output.remove(key)
  while any(_is_call(node, bodies) for node in result.node):
    nodes, _ = _inline_once(result.node, bodies, _body)
    replace_nodes(result, nodes)
  return result


def _is_call(node, bodies) -> bool:
  return node.op in CALLS or node.op in bodies


def _inline_once(nodes, bodies, body_of) -> tuple[list, dict[str, str]]:
  """The nodes after one step, and what stands for the outputs of calls.

  Args:
    nodes: of a graph, or of the body of a function.
    body_of: gives the body of a called function, and its results by the names
      of the call's outputs.
  """
  found = []
  outputs: dict[str, str] = {}
  effects: dict[str, list[str]] = {}
  for node in nodes:
    if not _is_call(node, bodies):
      found.append(node)
      continue
    name = node.attr["f"].func.name if node.op in CALLS else node.op
    body, returned = body_of(node, bodies[name])
    outputs.update(returned)
    before = [name for name in node.input if name[0] == "^"]
    for inner in body if before else ():
      inner.input[:] = dict.fromkeys([*inner.input, *before])
    found += body
    within = [n for n in body if _has_effects(n, bodies)]
    effects[node.name] = [n.name for n in within or body[-1:]]
  resolve_chains(outputs)
  inlined = GraphDef(node=found)
  replace_inputs(inlined, outputs)
  _wait_for_effects(inlined, effects)
  return list(inlined.node), outputs


def _body(call, function) -> tuple[list, dict[str, str]]:
  """In a graph, where outputs have a number each."""
  body, flat_names = function_def_to_graph_def(function)
  nodes, outer = _renamed(call, function, body.node)
  for node in nodes:
    node.input[:] = map(canonical, node.input)
  return nodes, {
    canonical(f"{call.name}:{i}"): canonical(
      outer(flat_names[function.ret[arg.name]])
    )
    for i, arg in enumerate(function.signature.output_arg)
  }


def _nested_body(call, function) -> tuple[list, dict[str, str]]:
  """In the body of a function, where outputs have the names of arguments."""
  copied = type(function)()
  copied.CopyFrom(function)
  nodes, outer = _renamed(call, function, copied.node_def)
  return nodes, {
    f"{call.name}:output:{i}".removesuffix(":0")
    if call.op in CALLS
    else f"{call.name}:{arg.name}": outer(function.ret[arg.name])
    for i, arg in enumerate(function.signature.output_arg)
  }


def _renamed(call, function, body) -> tuple[list, Callable[[str], str]]:
  """A body's nodes as nodes beside a call, and how tensors are called there."""
  prefix = call.name + "/"
  arguments = {
    arg.name: tensor
    for arg, tensor in zip(function.signature.input_arg, data_inputs(call))
  }

  def outer(tensor: str) -> str:
    return arguments.get(canonical(tensor)) or prefix + tensor

  nodes = []
  for node in in_program_order(body):
    if node.name in arguments:
      continue
    controls = [
      f"^{prefix}{name[1:]}"
      for name in node.input
      if name[0] == "^" and name[1:] not in arguments
    ]
    node.input[:] = [*map(outer, data_inputs(node)), *controls]
    node.name = prefix + node.name
    nodes.append(node)
  return nodes, outer


def _has_effects(node, bodies) -> bool:
  """Whether others may wait for it; who assigns waits for reads as well."""
  return (
    _is_call(node, bodies)
    or node.op == "ReadVariableOp"
    or not known_ops.only_computes(node.op)
  )


def _wait_for_effects(
  graph_def: GraphDef, effects: dict[str, list[str]]
) -> None:
  """Who waits for a call waits for what its body does beside computing."""
  for node in graph_def.node if effects else ():
    if is_ordered(node) and any(node_of(n) in effects for n in node.input):
      controls = {
        f"^{name}"
        for n in node.input
        if n[0] == "^"
        for name in effects.get(n[1:], [n[1:]])
      }
      node.input[:] = [*data_inputs(node), *sorted(controls)]


def name_by_content(graph_def: GraphDef, purpose: str = "") -> GraphDef:
  """Returns the graph with functions named by a hash of their content.

  TensorFlow numbers functions within a process, so two modules would clash in
  a consumer's graph; some of its names for arguments have these numbers, too.
  Functions that nothing refers to are left out.

  Equal functions become one, but not those of loops: to differentiate a loop,
  TensorFlow adds functions whose names are made of theirs, and whose content
  is not alike for equal ones. So these have names that no other graph has.

  Args:
    graph_def: is changed.
    purpose: hashed along, for names that no other use of the graph has.
  """
  if not graph_def.library.function:
    return graph_def
  bodies = {f.signature.name: f for f in graph_def.library.function}
  renamed: dict[str, str] = {}
  numbers: dict[str, int] = collections.Counter()
  of_loops: list[str] = []
  result = GraphDef(versions=graph_def.versions)
  result.node.extend(graph_def.node)

  def rename(nodes) -> None:
    for node in nodes:
      for reference in _references(node):
        if reference.name in bodies:
          reference.name = final_name(reference.name, node.op in LOOPS)

  def final_name(name: str, of_loop: bool) -> str:
    of_loop = of_loop or _has_loops(name, bodies)
    if name in renamed and not of_loop:
      return renamed[name]
    function = FunctionDef()
    function.CopyFrom(bodies[name])
    _number_arguments(function)
    rename(function.node_def)
    function.signature.name = "function"
    content = function.SerializeToString(deterministic=True)
    digest = hashlib.sha256(purpose.encode() + content).hexdigest()[:16]
    final = f"function_{digest}"
    numbers[final] += 1
    if of_loop:
      final = f"{final}_{numbers[final]}"
      of_loops.append(final)
    if numbers[final] <= 1:
      function.signature.name = final
      result.library.function.append(function)
    renamed[name] = final
    return final

  rename(result.node)
  content = _content(result) if of_loops else b""
  graph = hashlib.sha256(content).hexdigest()[:16]
  unique = {name: f"{name}_{graph}" for name in of_loops}
  for node in all_nodes(result) if of_loops else ():
    for reference in _references(node):
      reference.name = unique.get(reference.name, reference.name)
  for function in result.library.function:
    name = function.signature.name
    function.signature.name = unique.get(name, name)
  return result


def _content(graph_def: GraphDef) -> bytes:
  """Nodes and functions; names that are counters of the process aside."""
  numbered = GraphDef()
  numbered.CopyFrom(graph_def)
  counters = {n.name for n in numbered.node if n.name.isdigit()}
  for node in numbered.node:
    node.name = "" if node.name in counters else node.name
    for i, name in enumerate(node.input):
      if name.strip("^").partition(":")[0] in counters:
        node.input[i] = ""
  return numbered.SerializeToString(deterministic=True)


def _references(node: NodeDef) -> list[Any]:
  """References to functions in all of a node's attributes."""
  values = [node.attr[key] for key in sorted(node.attr)]
  return [f for v in values for f in (*v.list.func, v.func) if f.name]


def _has_loops(name: str, bodies) -> bool:
  """Whether a function has loops, in itself or further down."""
  return any(
    node.op in LOOPS or any(_has_loops(f.name, bodies) for f in called(node))
    for node in bodies[name].node_def
  )


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
