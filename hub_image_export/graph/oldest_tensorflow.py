# SPDX-License-Identifier: Apache-2.0
"""The oldest TensorFlow that loads, runs and differentiates a graph.

Held against what TensorFlow 1.15 knows, and against the limits of its kernels
for CPUs that are not to be seen from the names of ops. Versions between 1.15
and the author's are not told apart: what 1.15 cannot do is only known to work
where the author made it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator

from hub_image_export.graph import graph_defs
from hub_image_export.graph.called_functions import LOOPS
from hub_image_export.tensorflow_api import known_ops
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import GraphDef, NodeDef

# Gives the names of the nodes that gradients go through; slow, rarely asked.
Trained = Callable[[], "set[str]"]

OLDEST = "1.15"
# No gradient goes through these, and none is asked for.
_STOPS = frozenset(
  {
    *graph_defs.ASSIGNMENTS,
    "ArgMax",
    "Shape",
    "Size",
    "StopGradient",
  }
)
_CHANNELS_FIRST_ON_CPU = frozenset({"BiasAdd", "BiasAddGrad"})


def oldest_tensorflow(
  graph_def: GraphDef, training: bool
) -> tuple[str, list[str]]:
  """The oldest TensorFlow for a variant of a module.

  Args:
    graph_def: What the module serves, after `make_portable`, and pruned. With
      static shapes of the outputs grouped convolutions can be seen.
    training: Whether the variant is to be trained, and needs gradients.

  Returns:
    "1.15" and no reasons; or the running version ("2.15"), and for each node
    that is to blame one sentence that starts with its name.
  """
  reasons = [
    f"{node.name} ({node.op}): {problem}."
    for nodes in graph_defs.node_lists(graph_def)
    for node, problem in _problems(nodes, training)
  ]
  if not reasons:
    return OLDEST, []
  return ".".join(tf.__version__.split(".")[:2]), reasons


def trained_loops(graph_def: GraphDef) -> list[str]:
  """Names of the loops that gradients of a graph go through."""
  loops = [node.name for node in graph_def.node if node.op in LOOPS]
  if not loops:
    return []
  trained = _on_gradient_path({node.name: node for node in graph_def.node})
  return [name for name in loops if name in trained]


def _problems(
  nodes: Iterable[NodeDef], training: bool
) -> Iterator[tuple[NodeDef, str]]:
  known = known_ops.in_tensorflow_1_15()
  by_name = {node.name: node for node in nodes}

  @functools.cache
  def trained() -> set[str]:
    return _on_gradient_path(by_name) if training else set()

  for node in nodes:
    entry = known.get(node.op)
    if entry is None:
      if not _is_function(node):
        yield node, "TensorFlow 1.15 has no such op"
      continue
    problem = (
      _unknown_attribute(node, entry)
      or _missing_kernel(node, entry)
      or _kernel_limit(node, by_name, trained)
    )
    if problem is None and not entry.get("gradient"):
      problem = _missing_gradient(node, trained)
    if problem:
      yield node, problem


def _is_function(node: NodeDef) -> bool:
  """Whether it calls a function of the library by its name."""
  return not known_ops.exists_here(node.op)


def _value(value: tf.compat.v1.AttrValue) -> str | None:
  """A type or a string as the data file spells it."""
  if value.type:
    return _type_name(value.type)
  return value.s.decode() if value.HasField("s") else None


@functools.cache
def _type_name(number: int) -> str:
  names = {"float32": "float", "float64": "double", "float16": "half"}
  name = tf.dtypes.as_dtype(number).name
  return names.get(name, name)


def _unknown_attribute(node: NodeDef, entry: dict) -> str | None:
  known = entry["attrs"]
  unknown = [
    name
    for name in node.attr
    if not name.startswith("_") and not _is_known(known, name, node)
  ]
  if not unknown:
    return None
  name = min(unknown)
  if name not in known:
    return f"TensorFlow 1.15 does not know its attribute {name}"
  return f"TensorFlow 1.15 does not know {name}={_value(node.attr[name])}"


def _is_known(known: dict, name: str, node: NodeDef) -> bool:
  """Whether 1.15 has the attribute, and the value, where it knows some only."""
  if name not in known:
    return False
  return not known[name] or _value(node.attr[name]) in known[name]


def _missing_kernel(node: NodeDef, entry: dict) -> str | None:
  for name, allowed in entry.get("cpu", {}).items():
    value = _value(node.attr[name]) if name in node.attr else None
    if value and value not in allowed:
      return f"TensorFlow 1.15 has no kernel for CPUs with {name}={value}"
  return None


def _kernel_limit(
  node: NodeDef, by_name: dict[str, NodeDef], trained: Trained
) -> str | None:
  """Limits of kernels that depend on values, not on types."""
  layout = node.attr["data_format"].s if "data_format" in node.attr else b""
  if layout[:2] == b"NC" and node.op not in _CHANNELS_FIRST_ON_CPU:
    return "TensorFlow 1.15 computes NCHW on GPUs only"
  if "dilations" in node.attr and max(node.attr["dilations"].list.i) > 1:
    if node.op == "DepthwiseConv2dNative":
      return "TensorFlow 1.15 ignores the dilations on CPUs"
    if node.op.endswith("BackpropInput") or node.name in trained():
      return "TensorFlow 1.15 has no gradient of dilated convolution on CPUs"
  if node.op in ("Conv2D", "Conv3D") and _is_grouped(node, by_name):
    return "TensorFlow 1.15 computes grouped convolution on GPUs only"
  return None


def _is_grouped(node: NodeDef, by_name: dict[str, NodeDef]) -> bool:
  shapes = []
  for name in node.input[:2]:
    source = by_name.get(graph_defs.node_of(name))
    index = graph_defs.output_index(name)
    shape = graph_defs.output_shape(source, index) if source else None
    shapes.append(shape or [None, None])
  channels, of_group = shapes[0][-1], shapes[1][-2]
  return None not in (channels, of_group) and channels != of_group


def _missing_gradient(node: NodeDef, trained: Trained) -> str | None:
  if known_ops.has_gradient_here(node.op) and node.name in trained():
    return "TensorFlow 1.15 has no gradient of it"
  return None


def _on_gradient_path(by_name: dict[str, NodeDef]) -> set[str]:
  """Nodes that depend on a real-valued variable by real-valued tensors.

  In the body of a function any argument may come from one.
  """
  pending = list(by_name)
  sources = {name: _sources(node) for name, node in by_name.items()}
  found = {s for names in sources.values() for s in names if s not in by_name}
  grown = True
  while grown:
    before = len(found)
    for name in pending:
      if _is_variable(by_name[name]) or found.intersection(sources[name]):
        found.add(name)
    pending = [name for name in pending if name not in found]
    grown = len(found) > before
  return {n for n in found & by_name.keys() if not _is_variable(by_name[n])}


def _sources(node: NodeDef) -> list[str]:
  """Inputs through which a gradient could go."""
  if node.op in _STOPS or not _is_real(node):
    return []
  return [graph_defs.node_of(name) for name in graph_defs.data_inputs(node)]


def _is_variable(node: NodeDef) -> bool:
  if node.op not in ("Placeholder", "VarHandleOp"):
    return False
  return node.attr["dtype"].type == tf.resource or node.op == "VarHandleOp"


def _is_real(node: NodeDef) -> bool:
  """Whether the op computes on real numbers, as far as its types tell."""
  types = [v.type for v in node.attr.values() if v.type]
  return not types or any(tf.dtypes.as_dtype(t).is_floating for t in types)
