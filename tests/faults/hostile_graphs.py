# SPDX-License-Identifier: Apache-2.0
"""Graphs that would touch the machine, or never end, if they were run."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

_STRING = "attr { key: 'dtype' value { type: DT_STRING } }"
# A loop without an end, which prints.
_LOOP = """
node { name: 'l/zero' op: 'Const'
  attr { key: 'dtype' value { type: DT_FLOAT } }
  attr { key: 'value' value { tensor { dtype: DT_FLOAT float_val: 0
    tensor_shape { } } } } }
node { name: 'l/true' op: 'Const'
  attr { key: 'dtype' value { type: DT_BOOL } }
  attr { key: 'value' value { tensor { dtype: DT_BOOL bool_val: true
    tensor_shape { } } } } }
node { name: 'l/enter' op: 'Enter' input: 'l/zero'
  attr { key: 'T' value { type: DT_FLOAT } }
  attr { key: 'frame_name' value { s: 'l' } } }
node { name: 'l/cond' op: 'Enter' input: 'l/true'
  attr { key: 'T' value { type: DT_BOOL } }
  attr { key: 'frame_name' value { s: 'l' } }
  attr { key: 'is_constant' value { b: true } } }
node { name: 'l/merge' op: 'Merge' input: 'l/enter' input: 'l/next'
  attr { key: 'T' value { type: DT_FLOAT } }
  attr { key: 'N' value { i: 2 } } }
node { name: 'l/test' op: 'LoopCond' input: 'l/cond' }
node { name: 'l/switch' op: 'Switch' input: 'l/merge' input: 'l/test'
  attr { key: 'T' value { type: DT_FLOAT } } }
node { name: 'l/print' op: 'Print' input: 'l/switch:1' input: 'l/switch:1'
  attr { key: 'T' value { type: DT_FLOAT } }
  attr { key: 'U' value { list { type: DT_FLOAT } } }
  attr { key: 'message' value { s: '%s' } } }
node { name: 'l/next' op: 'NextIteration' input: 'l/print'
  attr { key: 'T' value { type: DT_FLOAT } } }
node { name: 'evil' op: 'Exit' input: 'l/switch'
  attr { key: 'T' value { type: DT_FLOAT } } }
"""


def _string(name: str, value: str) -> str:
  return (
    f"node {{ name: '{name}' op: 'Const' {_STRING} attr {{ key: 'value' value "
    f"{{ tensor {{ dtype: DT_STRING string_val: '{value}' tensor_shape {{ }} "
    "} } } }\n"
  )


def _op(op: str, attributes: str = "", inputs: tuple[str, ...] = ()) -> str:
  constants = "".join(_string(f"i{n}", text) for n, text in enumerate(inputs))
  names = " ".join(f"input: 'i{n}'" for n in range(len(inputs)))
  return f"{constants}node {{ name: 'evil' op: '{op}' {names} {attributes} }}"


def graphs(canary: str) -> dict[str, str]:
  """GraphDefs as text, each with a node `evil`; they would make `canary`."""
  sampler = " ".join(
    f"attr {{ key: '{name}' value {{ {value} }} }}"
    for name, value in {
      "num_true": "i: 1", "num_sampled": "i: 1", "unique": "b: true",
      "range_max": "i: 3", "vocab_file": "s: '/etc/passwd'",
    }.items()
  )  # fmt: skip
  target = f"attr {{ key: 'output_stream' value {{ s: 'file://{canary}' }} }}"
  token = "attr { key: 'token' value { s: 'pyfunc_0' } }"
  none = "value { list { } } }"
  return {
    "WriteFile": _op("WriteFile", inputs=(canary, "x")),
    "ReadFile": _op("ReadFile", inputs=("/etc/passwd",)),
    "MatchingFiles": _op("MatchingFiles", inputs=("/*",)),
    "PrintV2": _op("PrintV2", target, ("x",)),
    "PyFunc": _op(
      "PyFunc",
      f"{token} attr {{ key: 'Tin' {none} attr {{ key: 'Tout' {none}",
    ),
    "Save": _op(
      "Save", f"attr {{ key: 'T' {none}", (canary, "x")
    ),
    "DebugIdentity": _op(
      "DebugIdentity",
      "attr { key: 'T' value { type: DT_STRING } } attr { key: 'debug_urls' "
      f"value {{ list {{ s: 'file://{canary}' }} }} }}",
      ("x",),
    ),
    "FixedUnigramCandidateSampler": "node { name: 'i0' op: 'Const' attr { key: "
    "'dtype' value { type: DT_INT64 } } attr { key: 'value' value { tensor { "
    "dtype: DT_INT64 int64_val: 0 tensor_shape { dim { size: 1 } dim { size: 1 "
    "} } } } } }\nnode { name: 'evil' op: 'FixedUnigramCandidateSampler' "
    f"input: 'i0' {sampler} }}",
    "CollectiveReduce": _op("CollectiveReduceV2"),
    "Abort": _op("Abort"),
    "loop that prints for ever": _LOOP % ("x" * 2000),
  }  # fmt: skip


def attach(
  text: str, where: Callable[[Any], Any]
) -> Callable[[pathlib.Path], None]:
  """A change of a module: `evil` runs before the node that `where` gives."""
  from google.protobuf import text_format

  from hub_image_export.tensorflow_api.compat import tf
  from hub_image_export.tensorflow_api.protos import SavedModel

  def change(module: pathlib.Path) -> None:
    file = module / "saved_model.pb"
    proto = SavedModel.FromString(file.read_bytes())
    nodes = text_format.Parse(text, tf.compat.v1.GraphDef()).node
    for meta_graph in proto.meta_graphs:
      node = where(meta_graph)
      if node is not None:
        node.input.append("^evil")
      meta_graph.graph_def.node.extend(nodes)
    file.write_bytes(proto.SerializeToString(deterministic=True))

  return change


def before_the_output(meta_graph: Any) -> Any:
  name = meta_graph.signature_def["default"].outputs["default"].name
  return _named(meta_graph, name.partition(":")[0])


def before_a_variable_is_read(meta_graph: Any) -> Any:
  """No signature needs this node; who asks for the variable's value does."""
  handle = next(n for n in meta_graph.graph_def.node if n.op == "VarHandleOp")
  return _named(meta_graph, f"{handle.name}/Read/ReadVariableOp")


def nowhere(meta_graph: Any) -> None:
  return None


def _named(meta_graph: Any, name: str) -> Any:
  return next(n for n in meta_graph.graph_def.node if n.name == name)
