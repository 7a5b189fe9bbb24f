# SPDX-License-Identifier: Apache-2.0
"""The order of a program: edges first, then as nodes were made."""

from __future__ import annotations

import pytest

from hub_image_export.graph import program_order
from hub_image_export.tensorflow_api.protos import NodeDef


def nodes(**inputs):
  """Nodes by name, each with its inputs; the op is the name without digits."""
  return [
    NodeDef(name=name, op=name.rstrip("0123456789"), input=given.split())
    for name, given in inputs.items()
  ]


def names(found):
  return [node.name for node in found]


def test_nodes_without_edges_stay_as_they_stand():
  made = nodes(b="", a="", c="")
  assert names(program_order.in_program_order(made)) == ["b", "a", "c"]


def test_data_and_control_edges_come_first():
  made = nodes(Read="^Write", Add="Other:1", Write="", Other="")
  ordered = names(program_order.in_program_order(made))
  assert ordered == ["Write", "Read", "Other", "Add"]


def test_what_comes_last_waits_for_all_that_can_come():
  """A read that nothing orders behind the write sees the old value."""
  made = nodes(Write="", Read="", Read1="^Write", Write1="")
  ordered = program_order.in_program_order(
    made, last=lambda node: node.op == "Write"
  )
  assert names(ordered) == ["Read", "Write", "Read1", "Write1"]


def test_loops_of_tensorflow_1_are_no_circles():
  made = nodes(
    Enter="",
    Merge="Enter NextIteration",
    Switch="Merge",
    NextIteration="Add",
    Add="Switch:1",
    Exit="Switch",
  )
  ordered = names(program_order.in_program_order(made))
  assert ordered[:3] == ["Enter", "Merge", "Switch"]
  assert len(ordered) == 6


def test_a_circle_is_refused():
  with pytest.raises(ValueError, match="circle"):
    program_order.in_program_order(nodes(A="B", B="A"))


def test_branches_end_where_they_merge():
  made = nodes(X="", Switch="X X", Mul="Switch", Merge="Mul", Add="Merge")
  assert program_order.in_branches(made) == {"Switch", "Mul"}


def test_loops_end_where_they_are_left():
  made = nodes(
    Enter="",
    Merge="Enter NextIteration",
    Less="Merge",
    Switch="Merge Less",
    NextIteration="Switch:1",
    Exit="Switch",
    Add="Exit",
  )
  found = program_order.in_branches(made)
  assert found == {node.name for node in made} - {"Exit", "Add"}


def test_control_inputs_go_but_for_those_within_branches():
  made = nodes(A="", B="A ^A ^C", C="")
  program_order.drop_control_inputs(made, kept={"C"})
  assert list(made[1].input) == ["A", "^C"]
