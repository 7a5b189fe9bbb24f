# SPDX-License-Identifier: Apache-2.0
"""State as values: each read of a variable gets the value that it has there.

A walk over a graph in program order knows the value of each variable after
each op. What reads a variable that was assigned before reads that value from
then on, and assignments leave nothing but values behind: which variables have
changed at the end, and to what, is known without looking for ops.

Values are lazy: an assignment that nothing reads stays the op that it is, so
graphs of simple networks stay as they were.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from hub_image_export.graph.called_functions import called
from hub_image_export.graph.graph_defs import canonical, data_inputs
from hub_image_export.graph.program_order import (
  drop_control_inputs,
  in_branches,
)
from hub_image_export.graph.random_state import GENERATOR_OPS
from hub_image_export.graph.state_ops import (
  LOOKS,
  PASSES,
  READS,
  READS_OR_WRITES,
  REFUSED,
  WRITES,
  Cell,
  NodeMaker,
  refusal,
  value_read,
  value_written,
)
from hub_image_export.tensorflow_api.protos import NodeDef


@dataclasses.dataclass
class _Value:
  """A value of a variable: a tensor, or what makes one if it is asked for."""

  tensor: str | None = None
  as_read: str | None = None
  write: NodeDef | None = None
  before: _Value | None = None


class Walk:
  """A walk over the nodes of a graph, or of a function's body.

  Attributes:
    make: has the nodes of the result.
    handles: which tensors stand for variables.
    written: the ops that changed each variable, in order.
    stand_ins: tensors that others have replaced.
  """

  def __init__(
    self,
    functions: Any,
    make: NodeMaker,
    handles: dict[str, Cell],
    given: dict[Cell, str] | None = None,
  ) -> None:
    """Args: `given` has values that the body of a function is handed."""
    self.make = make
    self.handles = dict(handles)
    self.written: dict[Cell, list[NodeDef]] = {}
    self.stand_ins: dict[str, str] = {}
    self._functions = functions
    self._given = dict(given or {})
    self._values = {
      cell: _Value(tensor, as_read=tensor)
      for cell, tensor in self._given.items()
    }
    self._branched: set[Cell] = set()
    self._handle_of: dict[Cell, str] = {}
    for tensor, cell in handles.items():
      if cell.replica_of is None:
        self._handle_of.setdefault(cell, tensor)

  def run(self, nodes: list[NodeDef]) -> None:
    """Walks over nodes in program order; they are changed."""
    branched = in_branches(nodes)
    for node in nodes:
      touched = {}
      for i, tensor in enumerate(map(canonical, data_inputs(node))):
        if tensor in self.stand_ins:
          node.input[i] = self.stand_ins[tensor]
          tensor = canonical(node.input[i])
        if tensor in self.handles:
          touched[i] = self.handles[tensor]
      self._take(node, touched, node.name in branched)

  def _take(
    self, node: NodeDef, touched: dict[int, Cell], branched: bool
  ) -> None:
    cells = {i: cell.replica_of or cell for i, cell in touched.items()}
    for i, cell in cells.items():
      node.input[i] = self.handle(cell, node.input[i])
    if not cells:
      if node.op in READS_OR_WRITES:
        raise refusal(node, None, "none that a function captured")
      self.make.nodes.append(node)
    elif node.op in PASSES:
      self._pass_on(node, cells)
    elif node.op in WRITES:
      if touched[0].replica_of is None:
        self._write(node, cells[0], branched)
    elif node.op in READS:
      self._read(node, cells[0], branched)
    elif node.op in LOOKS or (
      node.op in GENERATOR_OPS and cells[0] not in self._values
    ):
      self.make.nodes.append(node)
    elif called(node):
      self._functions.lift(self, node, touched)
    else:
      raise refusal(node, cells[min(cells)], "it neither reads nor assigns it")

  def _pass_on(self, node: NodeDef, cells: dict[int, Cell]) -> None:
    for i, cell in cells.items():
      outputs = (0, 1) if node.op == "Switch" else (i,)
      for output in outputs:
        self.handles[canonical(self.make.output(node, output))] = cell
    self.make.nodes.append(node)

  def _write(self, node: NodeDef, cell: Cell, branched: bool) -> None:
    if cell in self._branched or (branched and cell in self._values):
      problem = "it is assigned in control flow of TensorFlow 1, and elsewhere"
      raise refusal(node, cell, problem)
    self.make.nodes.append(node)
    if node.op == "RngReadAndSkip":
      output = canonical(self.make.output(node))
      self.stand_ins[output] = self.read(cell)
    if branched:
      self._branched.add(cell)
      self.written.setdefault(cell, []).append(node)
    else:
      value = _Value(write=node, before=self._values.get(cell))
      self.wrote(cell, node, value)

  def wrote(self, cell: Cell, node: NodeDef, value: str | _Value) -> None:
    """Takes note that the variable has another value from now on."""
    if isinstance(value, str):
      value = _Value(value)
    self._values[cell] = value
    self.written.setdefault(cell, []).append(node)

  def _read(self, node: NodeDef, cell: Cell, branched: bool) -> None:
    if cell in self._branched or (branched and cell in self._values):
      problem = "it is assigned and read in control flow of TensorFlow 1"
      error = str(refusal(node, cell, problem))
      node.attr[REFUSED].s = error.encode()  # If anything needs it.
      self.make.nodes.append(node)
    elif cell in self._values:
      value = value_read(self.make, node, cell, self.read(cell))
      self.stand_ins[canonical(self.make.output(node))] = value
    else:
      self.make.nodes.append(node)

  def nodes_without_writes(self, kept: Iterable[str] = ()) -> list[NodeDef]:
    """The nodes of the result, without control inputs and what they are for.

    Args:
      kept: names of ops that change variables and are to stay.
    """
    writes = {
      node.name
      for written in self.written.values()
      for node in written
      if not called(node) and node.name not in kept
    }
    nodes = [n for n in self.make.nodes if n.name not in writes]
    drop_control_inputs(nodes, in_branches(nodes).difference(kept))
    return nodes

  def has_value(self, cell: Cell) -> bool:
    """Whether it has another value than a read of the variable gives."""
    return cell in self._values

  def is_pending(self, cell: Cell) -> bool:
    """Whether no tensor has its value: nothing has read what was assigned."""
    return self._values[cell].tensor is None

  def handle(self, cell: Cell, otherwise: str = "") -> str:
    return self._handle_of.setdefault(cell, otherwise)

  def value(self, cell: Cell) -> str:
    """The tensor with the value that the variable has now."""
    if cell not in self._values:
      return self._first(cell)
    return self._tensor(cell, self._values[cell])

  def _tensor(self, cell: Cell, value: _Value | None) -> str:
    if value is None:
      return self._first(cell)
    if value.tensor is None and value.write is not None:
      before = value.before
      value.tensor = value_written(
        self.make, value.write, cell, lambda: self._tensor(cell, before)
      )
    return value.tensor or ""

  def _first(self, cell: Cell) -> str:
    """The value that it came with: gradients reach the variable by this."""
    if cell not in self._given:
      handle = self.handle(cell)
      self._given[cell] = self.make.add(
        f"{handle}/state",
        "ReadVariableOp",
        [handle],
        cell.shape,
        dtype=cell.dtype,
      )
    return self._given[cell]

  def read(self, cell: Cell) -> str:
    """The value, with the gradient of a read: to the variable, not beyond.

    An assignment is the end of gradients. Reading what was assigned gives the
    gradient to the variable all the same, as a tape does.
    """
    if cell not in self._values:
      return self._first(cell)
    value = self._values[cell]
    if value.as_read is None:
      value.as_read = self._stopped(cell, self.value(cell))
    return value.as_read

  def _stopped(self, cell: Cell, tensor: str) -> str:
    if not (cell.dtype.is_floating or cell.dtype.is_complex):
      return tensor

    def add(op: str, *inputs: str) -> str:
      base = f"{self.handle(cell)}/value"
      return self.make.add(base, op, list(inputs), cell.shape, T=cell.dtype)

    value = add("StopGradient", tensor)
    if not cell.trainable:
      return value
    first = self._first(cell)
    return add("AddV2", value, add("Sub", first, add("StopGradient", first)))
