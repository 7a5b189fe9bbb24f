"""Rules about fine-tuning that the files show (F4, F5)."""

from __future__ import annotations

from hub_image_export import contract
from hub_image_export.checker import module as modules
from hub_image_export.checker.report import Findings
from hub_image_export.tensorflow_api import private
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.untrusted.graph import (
  PLACEHOLDER_OPS,
  VARIABLE_OPS,
  Graph,
  node_name,
)

_PLAIN_ASSIGNMENTS = ("Assign", "AssignVariableOp")
_FUSED_BATCH_NORM = "FusedBatchNorm"


def check_fine_tuning(module: modules.Module, findings: Findings) -> None:
  for variant in module.variants:
    _check_updates_without_asking(variant, findings)
    _check_placeholders(variant, findings)
    _check_custom_gradients(variant, findings)
  if module.train is not None:
    _check_update_ops(module.train, findings)
  if module.main is not None:
    _check_trainable(module, findings)


def updates(variant: modules.Variant) -> dict[str, list[str]]:
  """Assignments to float variables that are no initializers.

  Integers are the state of random generators and counters.
  """
  initializers = {node_name(v.initializer) for v in variant.variables.values()}
  found = {}
  for name, targets in variant.graph.assignments.items():
    targets = [t for t in targets if _is_float(variant.graph, t)]
    if name in initializers or _initializes(variant.graph, name):
      continue
    if targets:
      found[name] = targets
  return found


def _initializes(graph: Graph, name: str) -> bool:
  """Whether the node assigns what depends on no variable and no input.

  Initializers that no collection names, and the rest of a Saver, are such.
  """
  if graph.op(name) not in _PLAIN_ASSIGNMENTS:
    return False
  pending = list(map(node_name, graph.data_inputs(name)[1:]))
  seen = set(pending)
  while pending:
    source = pending.pop()
    if graph.op(source) in VARIABLE_OPS | PLACEHOLDER_OPS:
      return False
    following = set(graph.inputs(source)) - seen
    seen |= following
    pending += following
  return True


def _is_float(graph: Graph, variable: str) -> bool:
  return tf.dtypes.as_dtype(
    graph.nodes[variable].attr["dtype"].type
  ).is_floating


def _check_update_ops(variant: modules.Variant, findings: Findings) -> None:
  entries = variant.collection(contract.UPDATE_OPS)
  reached = variant.graph.ancestors(entries)
  assignments = updates(variant)
  moved, left_out = set(), {}
  for name, targets in assignments.items():
    if name in reached:
      moved.update(targets)
    else:
      left_out.update(dict.fromkeys(targets, name))
  dead = _dead_averages(variant) - moved
  for variable in sorted((set(left_out) - moved) | dead):
    how = left_out.get(variable, "no operation")
    findings.add(
      "no-update-ops",
      variant.where(tensor=variable),
      f"It is updated by {how}, which no entry of UPDATE_OPS reaches; "
      "expected every moving average to be. Add the update to UPDATE_OPS.",
    )
  if entries and not moved:
    findings.add(
      "update-ops-dead",
      variant.where(tensor=entries[0]),
      f"Got {len(entries)} UPDATE_OPS, none of which assigns to a variable; "
      "expected the updates of moving averages. Put the assignments there.",
    )


def _dead_averages(variant: modules.Variant) -> set[str]:
  """Variables called `moving_…` that the training outputs do not use.

  Batch norm that is frozen (in inference mode, within the training graph)
  normalizes with them, and needs no updates. Training mode ignores them, but
  for the update, even where the fused op takes them as inputs.
  """
  averages = {
    name for name in variant.variables if "moving_" in name.rpartition("/")[2]
  }
  used = _ancestors_without_training_averages(variant)
  return averages - used


def _ancestors_without_training_averages(variant: modules.Variant) -> set[str]:
  graph = variant.graph
  pending = [node_name(tensor) for tensor in variant.output_tensors()]
  found = set(pending)
  while pending:
    name = pending.pop()
    sources = graph.inputs(name)
    node = graph.nodes.get(name)
    if (
      node is not None
      and node.op.startswith(_FUSED_BATCH_NORM)
      and ("is_training" not in node.attr or node.attr["is_training"].b)
    ):
      sources = [node_name(tensor) for tensor in graph.data_inputs(name)[:3]]
    for source in sources:
      if source not in found:
        found.add(source)
        pending.append(source)
  return found


def _check_updates_without_asking(
  variant: modules.Variant, findings: Findings
) -> None:
  assignments = updates(variant)
  for signature in variant.image_signatures:
    reached = variant.graph.ancestors(variant.output_tensors([signature]))
    for name in sorted(reached & set(assignments)):
      findings.add(
        "updates-without-asking",
        variant.where(signature, name),
        f"Evaluating the outputs assigns to {assignments[name][0]}; expected "
        "that only UPDATE_OPS do. Remove the dependency of the outputs.",
      )


def _check_placeholders(variant: modules.Variant, findings: Findings) -> None:
  for signature in variant.image_signatures:
    fed = variant.inputs(signature)
    outputs = variant.output_tensors([signature])
    entries = variant.collection(contract.UPDATE_OPS)
    for what, tensors in (("output", outputs), (contract.UPDATE_OPS, entries)):
      for name in _unfed(variant.graph, tensors, fed):
        findings.add(
          "unfed-placeholder",
          variant.where(signature, what),
          f"It depends on the placeholder {name}, which is no input of this "
          "signature, so running it fails. Use one placeholder for `images` "
          "in all signatures, and constants for the rest.",
        )
  losses = variant.collection(contract.REGULARIZATION_LOSSES)
  for name in _unfed(variant.graph, losses, ()):
    findings.add(
      "unfed-placeholder",
      variant.where(tensor=contract.REGULARIZATION_LOSSES),
      f"A loss depends on the placeholder {name}; expected weights alone, as "
      "consumers get these losses without any input. Take it out.",
    )


def _unfed(graph: Graph, tensors: list[str], fed: object) -> list[str]:
  """Placeholders behind `tensors` that are not among the `fed` tensors."""
  fed_nodes = {node_name(tensor) for tensor in fed}
  reached = graph.ancestors(tensors, stop=fed_nodes) - fed_nodes
  return sorted(name for name in reached if graph.op(name) in PLACEHOLDER_OPS)


def _check_custom_gradients(
  variant: modules.Variant, findings: Findings
) -> None:
  reached = variant.graph.ancestors(variant.output_tensors())
  for node in variant.graph.all_nodes():
    in_main = node.name in variant.graph.nodes
    if private.CUSTOM_GRADIENT not in node.attr or (
      in_main and node.name not in reached
    ):
      continue
    gradient = node.attr[private.CUSTOM_GRADIENT].s.decode("utf-8", "replace")
    findings.add(
      "not-differentiable",
      variant.where(tensor=node.name),
      f'Got a {node.op} with the gradient "{gradient}", a Python function '
      "of the author's process; elsewhere it is missing or another one. "
      "Drop the custom gradient.",
    )


def _check_trainable(module: modules.Module, findings: Findings) -> None:
  variant = module.train or module.main
  if variant.variables and not variant.trainable:
    findings.add(
      "no-trainable-variables",
      variant.where(),
      f"Got {len(variant.variables)} variables, none of which is in "
      "TRAINABLE_VARIABLES; expected the weights there, so that consumers can "
      "fine-tune them.",
    )
