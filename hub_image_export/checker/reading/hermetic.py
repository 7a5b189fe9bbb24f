"""What a module's graph may do: an allow-list of ops (F5).

An op is allowed if TensorFlow knows it, it is stateless and nothing in its
name says that it reaches out; or if it has state and is of a kind that stays
inside a session: variables, random numbers, tables, control flow. Everything
else is refused before anything runs.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any

from hub_image_export import contract
from hub_image_export.checker.module import Module, Variant
from hub_image_export.checker.reading.protos import asset_files
from hub_image_export.checker.report import Findings
from hub_image_export.tensorflow_api import private
from hub_image_export.untrusted.graph import Graph, node_name

_REACHING_OUT = re.compile(
  r"File|Py(thon|Func)|^Save|Restore|Reader|Dataset|Iterator|Socket|Debug"
  r"|Remote|Rpc|Session|TPU|Tpu|Checkpoint|Bigtable|Sql|Lmdb|LMDB|Summary"
  r"Writer|^Copy(Host)?$|Recv|^_?Send|HostSend|Collective|Nccl|Abort|Mlir"
  r"|ImmutableConst|(De|En)code(Proto|Compressed.*V2)|GenerateVocab"
  r"|LoadAndRemap|Library|Plugin|^Xla|Dtensor|DTensor|Custom"
)
_STATE_INSIDE = re.compile(
  r"Variable|VarHandle|VarIsInitialized|^Assign|^(Resource)?(Sparse)?Apply"
  r"|^Resource(Gather|Scatter|StridedSlice|CountUpTo)|^Scatter"
  r"|Random|Multinomial|TruncatedNormal|^Stateful|^Rng|Cudnn|^Dropout"
  r"|Table|^(Stateful)?PartitionedCall$|^(If|While|Case|For)$|^Assert$"
  r"|^Print(V2)?$|^(Tensor)?Array|^Tensor(Array|List)|^Stack|Sampler$"
  r"|NonMaxSuppression|^Placeholder|DestroyResourceOp|^IsVariable|^Empty$"
  r"|^FakeQuant|^Sdca|DrawBoundingBox|^SymbolicGradient$|^Bernoulli"
  r"|^DisableCopyOnRead$"
)
_FILE_TABLES = ("InitializeTableFromTextFile", "InitializeTableFromTextFileV2")
_PRINT_TARGETS = (
  b"stdout",
  b"stderr",
  b"log(info)",
  b"log(warning)",
  b"log(error)",
)
# Every machine has a CPU.
_ANYWHERE = re.compile(r"|/?(device:)?cpu:(0|\*)", re.IGNORECASE)
_ABSOLUTE = re.compile(
  rb"(file|gs|s3|hdfs|https?)://|/[^/\s]+/[^/\s]+/|[A-Za-z]:\\"
)


def check_hermetic(module: Module, findings: Findings) -> None:
  for variant in module.variants:
    _check_ops(variant, findings)
    _check_collections(variant, findings)
    _check_paths(variant, findings)
    _check_devices(variant, findings)
    _check_cycles(variant, findings)


def _check_ops(variant: Variant, findings: Findings) -> None:
  needed = _needed(variant)
  assets = {node_name(a.tensor_info.name) for a in asset_files(variant)}
  for node, in_function in _nodes(variant.graph):
    problem = _problem(variant.graph, node, assets)
    if problem is None:
      continue
    rule, text = problem
    dead = not in_function and node.name not in needed
    findings.add(
      rule,
      variant.where(tensor=node.name),
      text + (" Nothing needs it; leave it out." if dead else ""),
      severity="warning" if dead and rule == "not-hermetic" else None,
    )


def may_reach_out(module: Module) -> bool:
  """Whether an op could, be it one that nothing seems to need.

  Reading a variable, or the gradient of a loop, runs nodes that stand in no
  signature; the proto of the variable or the loop names them.
  """
  for variant in module.variants:
    assets = {node_name(a.tensor_info.name) for a in asset_files(variant)}
    for node, _ in _nodes(variant.graph):
      problem = _problem(variant.graph, node, assets)
      if problem is not None and problem[0] == "not-hermetic":
        return True
  return False


def _nodes(graph: Graph) -> Iterator[tuple[Any, bool]]:
  for node in graph.graph_def.node:
    yield node, False
  for function in graph.graph_def.library.function:
    for node in function.node_def:
      yield node, True


def _needed(variant: Variant) -> set[str]:
  """Nodes that consumers may run, by signatures and collections."""
  tensors = variant.output_tensors()
  for name in (
    contract.UPDATE_OPS,
    contract.REGULARIZATION_LOSSES,
    "table_initializer",
  ):
    tensors += variant.collection(name)
  return variant.graph.ancestors(tensors)


def _problem(
  graph: Graph, node: Any, assets: set[str]
) -> tuple[str, str] | None:
  """The rule that the node breaks, and how."""
  definition = private.op_def(node.op)
  if definition is None:
    if node.op in graph.functions:
      return None
    return (
      "unloadable",
      f"Got the op {node.op}, which TensorFlow does not have; expected its "
      "own ops alone.",
    )
  if node.op in _FILE_TABLES:
    inputs = [node_name(graph.behind_forwarding(i)) for i in node.input[1:2]]
    if inputs and inputs[0] in assets:
      return None
  elif not reaches_out(node):
    return None
  return (
    "not-hermetic",
    f"Got the op {node.op}, which may use files, processes or Python; "
    "expected computation alone. Replace it.",
  )


def reaches_out(node: Any) -> bool:
  """Whether a node may use files, processes or Python; False if unknown."""
  if private.op_def(node.op) is None:
    return False
  if node.op == "PrintV2":
    return node.attr["output_stream"].s not in (b"", *_PRINT_TARGETS)
  if _op_reaches_out(node.op):
    return True
  # FixedUnigramCandidateSampler reads its `vocab_file`, where it has one.
  return any("file" in name and node.attr[name].s for name in node.attr)


@functools.cache
def _op_reaches_out(op: str) -> bool:
  """Whether an op that exists may do so, whatever its attributes."""
  if _REACHING_OUT.search(op):
    return True
  stateful = private.op_def(op).is_stateful
  return stateful and not _STATE_INSIDE.search(op)


def _check_collections(variant: Variant, findings: Findings) -> None:
  known = contract.SUPPORTED_COLLECTIONS | {"saved_model_assets"}
  for name in sorted(variant.meta_graph.collection_def):
    if name not in known:
      findings.add(
        "refused-collection",
        variant.where(tensor=name),
        "tensorflow_hub refuses to load a graph with this collection. Drop "
        "it before exporting.",
      )


def _check_paths(variant: Variant, findings: Findings) -> None:
  """Scalar strings that look like a path on the author's machine."""
  assets = {node_name(a.tensor_info.name) for a in asset_files(variant)}
  needed = _needed(variant)
  for node in variant.graph.graph_def.node:
    if node.op != "Const" or node.name in assets or node.name not in needed:
      continue
    values = node.attr["value"].tensor.string_val
    if len(values) == 1 and _ABSOLUTE.match(values[0]):
      findings.add(
        "not-hermetic",
        variant.where(tensor=node.name),
        f"Got the string {values[0][:100]!r}, which looks like a path; "
        "expected none. Export the file as an asset.",
        severity="warning",
      )


def _check_devices(variant: Variant, findings: Findings) -> None:
  devices = {node.device for node in variant.graph.all_nodes()}
  devices = sorted(d for d in devices if not _ANYWHERE.fullmatch(d))
  if devices:
    findings.add(
      "device-pinned",
      variant.where(),
      f"Got nodes placed on {devices[:5]}; expected none, so that the module "
      "runs on any machine. Clear the devices.",
    )


def _check_cycles(variant: Variant, findings: Findings) -> None:
  """Only a loop's NextIteration may close a cycle."""
  graph = variant.graph
  waiting = {}
  readers: dict[str, list[str]] = {}
  for name in graph.nodes:
    sources = {
      s for s in graph.inputs(name) if "NextIteration" not in graph.op(s)
    }
    sources &= graph.nodes.keys()
    waiting[name] = len(sources)
    for source in sources:
      readers.setdefault(source, []).append(name)
  ready = [name for name, count in waiting.items() if not count]
  done = 0
  while ready:
    done += 1
    for reader in readers.get(ready.pop(), ()):
      waiting[reader] -= 1
      if not waiting[reader]:
        ready.append(reader)
  if done < len(graph.nodes):
    stuck = sorted(name for name, count in waiting.items() if count)
    findings.add(
      "unloadable",
      variant.where(tensor=stuck[0]),
      f"{len(stuck)} nodes wait for each other in a cycle; expected a graph "
      "without one. Export again.",
    )
