# SPDX-License-Identifier: Apache-2.0
"""Rules about UPDATE_OPS, and what else assigns to variables (F4)."""

from __future__ import annotations

import itertools

from hub_image_export import contract
from hub_image_export.checker.judged import JudgedModule, JudgedVariant
from hub_image_export.checker.report import Found
from hub_image_export.untrusted.graph import PLACEHOLDER_OPS, Graph, node_name

_FUSED_BATCH_NORM = "FusedBatchNorm"
_BRANCHES = frozenset({"Switch", "RefSwitch"})


def check_updates(module: JudgedModule) -> Found:
  for variant in module.variants:
    yield from _check_updates_without_asking(variant)
    yield from _check_trainable_updates(variant)
    yield from _check_updated_twice(variant)
  if module.train is not None:
    yield from _check_update_ops(module.train, module.inference)


def _check_update_ops(
  variant: JudgedVariant, inference: JudgedVariant | None
) -> Found:
  entries = variant.collection(contract.UPDATE_OPS)
  reached = variant.graph.ancestors(entries)
  moved, left_out = set(), {}
  for name, targets in variant.updates.items():
    if name in reached:
      moved.update(targets)
    else:
      left_out.update(dict.fromkeys(targets, name))
  averages = _unused_averages(variant, inference)
  for variable in sorted((left_out.keys() | averages) - moved):
    how = left_out.get(variable, "no operation")
    text = (
      f"It is updated by {how}, which no entry of UPDATE_OPS reaches; "
      "expected every moving average to be. Add the update to UPDATE_OPS."
    )
    yield "no-update-ops", variant.where(variable), text
  if entries and not reached & variant.state_changes.keys():
    text = (
      f"Got {len(entries)} UPDATE_OPS, none of which assigns to a variable; "
      "expected the updates of moving averages. Put the assignments there."
    )
    yield "update-ops-dead", variant.where(entries[0]), text


class _Training(Graph):
  """A graph in which batch norm that trains does not read its averages.

  It ignores them, but for the update, even where the fused op takes them as
  inputs. Batch norm that is frozen (in inference mode, within the training
  graph) normalizes with them, and needs no updates.
  """

  def inputs(self, name: str) -> list[str]:
    node = self.nodes.get(name)
    if node is None or not node.op.startswith(_FUSED_BATCH_NORM):
      return super().inputs(name)
    if "is_training" in node.attr and not node.attr["is_training"].b:
      return super().inputs(name)
    return [node_name(tensor) for tensor in self.data_inputs(name)[:3]]


def _unused_averages(
  variant: JudgedVariant, inference: JudgedVariant | None
) -> set[str]:
  """Variables of moving averages that the training outputs do not use.

  They are called `moving_…`, or inference reads them, and they are no weights.
  """
  names = {v for v in variant.variables if "moving_" in v.rpartition("/")[2]}
  if inference is not None:
    read = inference.behind_outputs & inference.float_variables
    names |= read & variant.float_variables - set(variant.trainable)
  graph = _Training(variant.meta_graph.graph_def)
  return names - graph.ancestors(variant.output_tensors)


def _writers(variant: JudgedVariant) -> dict[str, list[str]]:
  """What UPDATE_OPS run that assigns, by the variable that is assigned to."""
  reached = variant.graph.ancestors(variant.collection(contract.UPDATE_OPS))
  found: dict[str, list[str]] = {}
  for name in sorted(reached & variant.updates.keys()):
    for variable in variant.updates[name]:
      found.setdefault(variable, []).append(name)
  return found


def _check_trainable_updates(variant: JudgedVariant) -> Found:
  writers = _writers(variant)
  for variable in sorted(writers.keys() & set(variant.trainable)):
    if all(_is_used(variant, writer) for writer in writers[variable]):
      text = (
        "UPDATE_OPS assign to it what the outputs are computed from, as "
        "spectral normalization does, and optimizers assign to it, too: in one "
        "run either may be lost. Tell consumers to run UPDATE_OPS first."
      )
      yield "updates-trainable", variant.where(variable), text, "warning"
      continue
    text = (
      "UPDATE_OPS assign to it, and it is in TRAINABLE_VARIABLES; expected "
      "that they move moving averages alone, and that optimizers move weights. "
      "Take it out of one of the two."
    )
    yield "updates-trainable", variant.where(variable), text


def _is_used(variant: JudgedVariant, writer: str) -> bool:
  """Whether outputs are computed from the value that is assigned."""
  values = map(node_name, variant.graph.data_inputs(writer)[1:])
  return bool(variant.behind_outputs.intersection(values))


def _check_updated_twice(variant: JudgedVariant) -> Found:
  """Assignments in branches are left out: only one of them is run."""
  graph = variant.graph
  for variable, writers in sorted(_writers(variant).items()):
    if len(writers) < 2:
      continue
    before = {name: graph.ancestors([name]) for name in writers}
    inputs = {frozenset(_inputs(graph, nodes)) for nodes in before.values()}
    if len(inputs - {frozenset()}) > 1:
      continue  # Each is for another signature, and they do not run together.
    if any(graph.op(n) in _BRANCHES for n in set().union(*before.values())):
      continue
    in_order = all(
      one in before[other] or other in before[one]
      for one, other in itertools.combinations(writers, 2)
    )
    text = (
      f"UPDATE_OPS assign to it {len(writers)} times, by {writers[0]} and "
      f"{writers[1]}{'' if in_order else ', in no order'}; expected one "
      "assignment for each moving average. Assign the last value alone."
    )
    severity = "warning" if in_order else "error"
    yield "updated-twice", variant.where(variable), text, severity


def _inputs(graph: Graph, nodes: set[str]) -> set[str]:
  return {name for name in nodes if graph.op(name) in PLACEHOLDER_OPS}


def _check_updates_without_asking(variant: JudgedVariant) -> Found:
  updates = variant.state_changes
  for signature in variant.image_signatures:
    reached = variant.graph.ancestors(signature.output_tensors)
    for name in sorted(reached & updates.keys()):
      text = (
        f"Evaluating the outputs assigns to {updates[name][0]}; expected that "
        "only UPDATE_OPS do. Remove the dependency of the outputs."
      )
      yield "updates-without-asking", signature.where(name), text
