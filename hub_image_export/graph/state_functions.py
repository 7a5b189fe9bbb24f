# SPDX-License-Identifier: Apache-2.0
"""State in branches, loops and calls: handed in as values, handed back.

What a function does to variables is found before it is walked over. A variable
that it writes, or reads after somebody wrote it, becomes a further argument;
one that it writes becomes a further result. Bodies are copied per call.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from hub_image_export.graph.called_functions import (
  LOOPS,
  called,
  first_argument,
)
from hub_image_export.graph.graph_defs import canonical, data_inputs
from hub_image_export.graph.program_order import (
  in_program_order,
)
from hub_image_export.graph.state_ops import (
  LOOKS,
  PASSES,
  READS,
  READS_OR_WRITES,
  WRITES,
  Cell,
  NodeMaker,
  refusal,
)
from hub_image_export.graph.state_values import Walk
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import (
  FunctionDef,
  GraphDef,
  NodeDef,
)


@dataclasses.dataclass
class _Effects:
  """What a function reads and writes; dicts keep an order."""

  read: dict[Cell, None] = dataclasses.field(default_factory=dict)
  written: dict[Cell, None] = dataclasses.field(default_factory=dict)

  def add(self, other: _Effects) -> None:
    self.read.update(other.read)
    self.written.update(other.written)


class Functions:
  """The functions of a graph, and the copies of them that take values."""

  def __init__(self, graph_def: GraphDef) -> None:
    self._known = {f.signature.name: f for f in graph_def.library.function}
    self._effects: dict[tuple, _Effects] = {}
    self.copies: list[FunctionDef] = []

  def effects(self, node: NodeDef, handles: dict[int, Cell]) -> _Effects:
    """What an op does to variables.

    Args:
      node: of any kind.
      handles: the variables among its inputs, by index.
    """
    found = _Effects()
    cells = {i: cell.replica_of or cell for i, cell in handles.items()}
    if node.op in READS:
      found.read[cells[0]] = None
    elif node.op in WRITES:
      found.written[cells[0]] = None
    for reference in called(node):
      arguments = {i - first_argument(node): c for i, c in cells.items()}
      found.add(self._of_function(node, reference.name, arguments))
    return found

  def _of_function(
    self, caller: NodeDef, name: str, arguments: dict[int, Cell]
  ) -> _Effects:
    key = (name, *sorted((i, id(cell)) for i, cell in arguments.items()))
    if key not in self._effects:
      if name not in self._known:
        raise refusal(caller, None, f"it calls {name!r}, which is not there")
      self._effects[key] = found = _Effects()
      body = self._known[name]
      handles = _handles(body, arguments)
      for node in in_program_order(body.node_def):
        touched = {
          i: handles[canonical(t)]
          for i, t in enumerate(data_inputs(node))
          if canonical(t) in handles
        }
        if not touched:
          continue
        if node.op in PASSES:
          handles.update(
            (f"{node.name}:output:{i}".removesuffix(":0"), cell)
            for i, cell in touched.items()
          )
        elif node.op in READS_OR_WRITES or called(node):
          found.add(self.effects(node, touched))
        elif node.op not in LOOKS:
          cell = next(iter(touched.values()))
          raise refusal(node, cell, f"within {caller.name!r}")
    return self._effects[key]

  def lift(self, walk: Walk, node: NodeDef, handles: dict[int, Cell]) -> None:
    """Adds an op that calls functions to a walk, with values for variables."""
    found = self.effects(node, handles)
    values = [c for c in found.read if walk.has_value(c)]
    passed = list(dict.fromkeys([*found.written, *values]))
    if not passed:
      walk.make.nodes.append(node)
      return
    returned = list(found.written)
    references = called(node)
    if node.op in LOOPS:
      returned = passed
      self._refuse_writing_condition(node, handles, references[1].name)
    first = first_argument(node)
    arguments = {i - first: cell for i, cell in handles.items()}
    given = [walk.read(cell) for cell in passed]
    bodies = []
    for i, reference in enumerate(references):
      is_condition = node.op in LOOPS and i == 1
      body = self._copy(
        reference.name,
        arguments,
        passed,
        [] if is_condition else returned,
        node.op in LOOPS,
      )
      reference.name = body.signature.name
      bodies.append(body)
    count = _extend(node, given, passed, returned)
    for i, cell in arguments.items():
      if (cell.replica_of or cell) in passed:
        _drop_handle(walk.make, node, i, bodies)
    walk.make.nodes.append(node)
    for i, cell in enumerate(returned):
      if cell in found.written:
        walk.wrote(cell, node, walk.make.output(node, count + i))

  def _refuse_writing_condition(
    self, node: NodeDef, handles: dict[int, Cell], name: str
  ) -> None:
    for cell in self._of_function(node, name, handles).written:
      raise refusal(node, cell, "the condition of a loop assigns it")

  def _copy(
    self,
    name: str,
    arguments: dict[int, Cell],
    passed: list[Cell],
    returned: list[Cell],
    is_loop: bool,
  ) -> FunctionDef:
    """A copy of a function that takes and returns values of variables."""
    original = self._known[name]
    copy = FunctionDef()
    copy.CopyFrom(original)
    copy.signature.name = f"{name}_state_{len(self.copies)}"
    self.copies.append(copy)
    self._known[copy.signature.name] = copy
    taken = {node.name for node in copy.node_def}
    taken.update(argument.name for argument in copy.signature.input_arg)
    make = NodeMaker(taken, in_function=True)
    given = {}
    for cell in passed:
      given[cell] = make.free_name("state")
      copy.signature.input_arg.add(
        name=given[cell], type=cell.dtype.as_datatype_enum
      )
    walk = Walk(self, make, _handles(original, arguments), given)
    nodes = in_program_order(copy.node_def, self.last(walk.handles))
    del copy.node_def[:]
    walk.run(nodes)
    # A loop hands values to its next round, which reads them.
    results = [(walk.read if is_loop else walk.value)(c) for c in returned]
    copy.node_def.extend(walk.nodes_without_writes())
    for key, tensor in list(copy.ret.items()):
      copy.ret[key] = walk.stand_ins.get(canonical(tensor), tensor)
    for cell, tensor in zip(returned, results):
      key = make.free_name("new_state")
      copy.signature.output_arg.add(name=key, type=cell.dtype.as_datatype_enum)
      copy.ret[key] = tensor
    copy.control_ret.clear()
    del copy.signature.control_output[:]
    return copy

  def last(self, handles: dict[str, Cell]) -> Any:
    """Picks ops that write variables without an order but that of edges."""
    if not any(cell.unordered for cell in handles.values()):
      return None
    known: dict[str, bool] = {}

    def writes_unordered(node: NodeDef) -> bool:
      if node.name not in known:
        touched = {
          i: handles[canonical(t)]
          for i, t in enumerate(data_inputs(node))
          if canonical(t) in handles
        }
        written = self.effects(node, touched).written if touched else ()
        known[node.name] = any(cell.unordered for cell in written)
      return known[node.name]

    return writes_unordered


def _handles(
  function: FunctionDef, arguments: dict[int, Cell]
) -> dict[str, Cell]:
  names = [argument.name for argument in function.signature.input_arg]
  return {names[i]: cell for i, cell in arguments.items()}


def _extend(
  node: NodeDef, given: list[str], passed: list[Cell], returned: list[Cell]
) -> int:
  """Adds inputs and outputs to an op; returns how many outputs it had."""
  controls = node.input[len(data_inputs(node)) :]
  node.input[:] = [*data_inputs(node), *given, *controls]
  types = "T" if node.op in LOOPS else "Tout"
  count = len(node.attr[types].list.type)
  if node.op not in LOOPS:
    node.attr["Tin"].list.type.extend(c.dtype.as_datatype_enum for c in passed)
  node.attr[types].list.type.extend(
    cell.dtype.as_datatype_enum for cell in returned
  )
  for key in ("output_shapes", "_output_shapes"):
    if key in node.attr and len(node.attr[key].list.shape) == count:
      shapes = node.attr[key].list.shape
      shapes.extend(cell.shape.as_proto() for cell in returned)
  # How many of the outputs TensorFlow's gradients may have added.
  node.attr.pop("_num_original_outputs", None)
  return count


def _drop_handle(
  make: NodeMaker, node: NodeDef, index: int, bodies: list[FunctionDef]
) -> None:
  """Puts a number into the place of a handle that no body needs any more."""
  is_loop = node.op in LOOPS
  if any(_uses(body, index, is_loop) for body in bodies):
    return
  int32 = tf.int32.as_datatype_enum
  at = index + first_argument(node)
  node.input[at] = make.constant(f"{node.name}/no_handle", 0)
  node.attr["T" if is_loop else "Tin"].list.type[index] = int32
  for body in bodies:
    arguments = [body.signature.input_arg[index]]
    if is_loop and index < len(body.signature.output_arg):
      arguments.append(body.signature.output_arg[index])
    for argument in arguments[: 2 if body is bodies[0] else 1]:
      argument.type = int32
      del argument.handle_data[:]
    body.arg_attr.pop(index, None)
    body.resource_arg_unique_id.pop(index, None)


def _uses(body: FunctionDef, index: int, is_loop: bool) -> bool:
  """Whether an argument is used for more than handing it to the next round."""
  name = body.signature.input_arg[index].name
  outputs = body.signature.output_arg
  own = outputs[index].name if is_loop and index < len(outputs) else None
  return any(
    name == tensor for key, tensor in body.ret.items() if key != own
  ) or any(name == tensor for node in body.node_def for tensor in node.input)
