# SPDX-License-Identifier: Apache-2.0
"""Small networks, traced, and made runnable without the package's own export.

Shared by the tests of portability: each network is a graph with placeholders
for the images and the variables, as the pipeline sees it.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np

from hub_image_export.graph import (
  fixed_flow,
  graph_defs,
  inline as functions,
  random_numbers as randomness,
)
from hub_image_export.graph.portability import make_portable
from hub_image_export.tensorflow_api import known_ops
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import GraphDef
from tests.support import fresh_process, tf115, tf115_probe

_ASSIGNMENTS = (
  "AssignVariableOp",
  "AssignAddVariableOp",
  "AssignSubVariableOp",
)


@dataclasses.dataclass
class Case:
  """A traced network: placeholders stand for the images and the variables."""

  graph_def: GraphDef
  outputs: list[str]
  variables: dict[str, np.ndarray]
  images: np.ndarray

  def rewritten(self, rewrite: Callable[[GraphDef], GraphDef]) -> Case:
    return dataclasses.replace(self, graph_def=rewrite(self.graph_def))

  def portable(self) -> Case:
    """What the pipeline makes of it."""
    state = randomness.random_state(self.graph_def, self.variables)
    fresh = GraphDef()
    fresh.CopyFrom(self.graph_def)
    randomness.draw_fresh(fresh, state)
    kept = {k: v for k, v in self.variables.items() if k not in state}
    case = dataclasses.replace(self, graph_def=fresh, variables=kept)
    case = case.pruned().rewritten(fixed_flow.without_fixed_flow)
    return case.rewritten(make_portable).pruned()

  def updates(self) -> list[str]:
    return [n.name for n in self.graph_def.node if n.op in _ASSIGNMENTS]

  def pruned(self) -> Case:
    wanted = [*self.outputs, *self.updates()]
    pruned = graph_defs.prune(self.graph_def, wanted)
    present = {node.name for node in pruned.node}
    kept = {k: v for k, v in self.variables.items() if k in present}
    return dataclasses.replace(self, graph_def=pruned, variables=kept)

  def ops(self) -> set[str]:
    return {node.op for node in self.graph_def.node}

  def runnable(self) -> tuple[GraphDef, dict[str, np.ndarray], dict[str, Any]]:
    """The arguments of `tf115_probe.run`."""
    graph_def = GraphDef()
    graph_def.CopyFrom(self.graph_def)
    feeds = {"images:0": self.images}
    request: dict[str, Any] = {
      "initialize": [],
      "fetch": self.outputs,
      "update": self.updates(),
      "read": [],
      "differentiate": ["images:0"],
    }
    for node in graph_def.node:
      node.attr.pop("_gradient_op_type", None)
      if node.name in self.variables:
        value = self.variables[node.name]
        _make_variable(graph_def, node, value)
        feeds[f"{node.name}/value:0"] = value
        request["initialize"].append(f"{node.name}/assign")
        request["read"].append(f"{node.name}/read:0")
        if value.dtype == np.float32:
          request["differentiate"].append(f"{node.name}:0")
    return graph_def, feeds, request


def _make_variable(graph_def: GraphDef, node: Any, value: np.ndarray) -> None:
  dtype = tf.as_dtype(value.dtype).as_datatype_enum
  node.op = "VarHandleOp"
  node.ClearField("attr")
  node.attr["dtype"].type = dtype
  node.attr["shape"].shape.CopyFrom(tf.TensorShape(value.shape).as_proto())
  node.attr["shared_name"].s = node.name.encode()
  given = graph_def.node.add(name=f"{node.name}/value", op="Placeholder")
  given.attr["dtype"].type = dtype
  for name, op, inputs in (
    ("assign", "AssignVariableOp", [node.name, given.name]),
    ("read", "ReadVariableOp", [node.name]),
  ):
    added = graph_def.node.add(name=f"{node.name}/{name}", op=op, input=inputs)
    added.attr["dtype"].type = dtype


def _make_constant(graph_def: GraphDef, name: str, value: np.ndarray) -> None:
  node = graph_defs.nodes_by_name(graph_def)[name]
  node.op = "Const"
  node.attr.pop("shape", None)
  node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))


def trace(
  function: Callable[[Any], Any],
  shape: tuple[int | None, ...] = (None, 8, 8, 3),
) -> Case:
  """Traces `function` on images of a shape with known or unknown sizes."""

  def named(images):
    return tf.identity(function(images), name="result")

  spec = tf.TensorSpec(shape, tf.float32, name="images")
  wrapped = tf.compat.v1.wrap_function(named, [spec])
  graph = wrapped.graph
  graph_def = functions.inline_calls(graph.as_graph_def(add_shapes=True))
  values = {id(v.handle): v.numpy() for v in graph.variables}
  variables = {}
  for captured, placeholder in graph.captures:
    if id(captured) in values:
      variables[placeholder.op.name] = values[id(captured)]
    else:
      _make_constant(graph_def, placeholder.op.name, captured.numpy())
  sizes = [size or default for size, default in zip(shape, (2, 8, 8, 3))]
  images = np.random.RandomState(0).rand(*sizes).astype(np.float32)
  return Case(graph_def, ["result:0"], variables, images)


def trace_layers(
  *layers: Any, training: bool = True, shape=(None, 8, 8, 3)
) -> Case:
  """Traces Keras layers; their weights are far from where they start."""
  model = tf.keras.Sequential([tf.keras.Input(shape[1:]), *layers])
  random = np.random.RandomState(1)
  for variable in model.weights:
    if variable.dtype in (tf.float32, "float32"):
      start = variable.numpy()
      if np.ptp(start):  # Drawn at random: here the same in each process.
        start = random.normal(scale=0.2, size=start.shape)
      noise = random.uniform(0.1, 0.4, variable.shape)
      variable.assign((start + noise).astype(np.float32))
  return trace(lambda images: model(images, training=training), shape)


def run(case: Case) -> dict[str, np.ndarray]:
  """Runs it in this process."""
  return tf115_probe.run(*case.runnable())


def assert_equal(actual: Any, expected: dict[str, np.ndarray]) -> None:
  """Same outputs, gradients and updated variables, to float32 rounding."""
  assert not isinstance(actual, str), actual
  assert set(actual) == set(expected)
  for name, value in expected.items():
    atol = 1e-5 * max(1.0, np.abs(value).max())
    np.testing.assert_allclose(
      actual[name], value, rtol=1e-4, atol=atol, err_msg=name
    )


def run_in_tf115(cases: dict[str, Case], directory: pathlib.Path) -> dict:
  """Runs each in TF 1.15; gives its results, or a string with the error."""
  for name, case in cases.items():
    graph_def, feeds, request = case.runnable()
    for node in graph_def.node:
      node.attr.pop("_output_shapes", None)
    path = directory / name
    path.with_suffix(".pb").write_bytes(graph_def.SerializeToString())
    path.with_suffix(".json").write_text(json.dumps(request))
    np.savez(path.with_suffix(".npz"), **feeds)
  fresh_process.run_program(tf115.PYTHON, "tf115_probe.py", directory)
  return {name: _result(directory / name) for name in cases}


def _result(path: pathlib.Path) -> Any:
  error = path.with_suffix(".error")
  if error.exists():
    return error.read_text()
  return dict(np.load(str(path) + ".result.npz"))


def not_in_tf115(case: Case) -> set[str]:
  """Ops that TF 1.15 does not know."""
  return case.ops() - set(known_ops.in_tensorflow_1_15())
