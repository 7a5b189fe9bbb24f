# SPDX-License-Identifier: Apache-2.0
"""From a traced graph to the graph of a module's variant, pass by pass."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable
from typing import NamedTuple

from absl import logging

from hub_image_export import contract
from hub_image_export.arguments import called
from hub_image_export.graph import (
  custom_gradients,
  decays,
  fixed_flow,
  idle_draws,
  inline,
  logits,
  portability,
  process_bound,
  random_numbers,
  updates,
)
from hub_image_export.graph.graph_defs import (
  descendants,
  drop_unneeded,
  fingerprints,
  node_of,
  nodes_by_name,
  passed_on,
  prune,
)
from hub_image_export.graph.oldest_tensorflow import oldest_tensorflow
from hub_image_export.graph.simplify import (
  bypass_redundant_nodes,
  share_equal_nodes,
)
from hub_image_export.graph.state_ops import REFUSED
from hub_image_export.tensorflow_api import known_ops
from hub_image_export.tensorflow_api.protos import GraphDef
from hub_image_export.tracing.trace import Trace
from hub_image_export.tracing.variable_table import Captures
from hub_image_export.tracing.variant import Variant

# What rewritten batch norms average with, where no gradient goes.
_OF_AVERAGES = frozenset({"AddV2", "Const", "Identity", "Mul", "Sub"})


class _Traced(NamedTuple):
  """What a variant is made of.

  Attributes:
    find_decays: whether moving averages are to take the momentum (H1).
    inferred_with: names of the variables that the inference variant has.
  """

  trace: Trace
  captures: Captures
  find_decays: bool = False
  inferred_with: frozenset[str] = frozenset()


def _inline_calls(variant: Variant, traced: _Traced) -> None:
  variant.graph_def = inline.inline_calls(traced.trace.graph_def)


def _resolve_fixed_flow(variant: Variant, traced: _Traced) -> None:
  variant.graph_def = fixed_flow.without_fixed_flow(variant.graph_def)


def _fill_constants(variant: Variant, traced: _Traced) -> None:
  process_bound.fill_constants(variant.graph_def, traced.captures.others)


def _drop_idle_draws(variant: Variant, traced: _Traced) -> None:
  idle_draws.drop_idle_draws(variant.graph_def)


def _make_values_of_state(variant: Variant, traced: _Traced) -> None:
  run = [*variant.outputs, *traced.trace.all_penalties]
  present = nodes_by_name(variant.graph_def)
  for entry in traced.trace.update_ops:
    # A call of a function is what its body is by now.
    body = (name for name in present if name.startswith(f"{entry}/"))
    run += [entry] if entry in present else body
  variant.graph_def, names = updates.state_as_values(
    variant.graph_def, traced.captures.cells(), run
  )
  variant.updates = tuple(names)


def _draw_fresh(variant: Variant, traced: _Traced) -> None:
  kept = traced.inferred_with  # A count of steps may also be a seed.
  seeds = [n for n, v in variant.variables.items() if v.name not in kept]
  state = random_numbers.random_state(variant.graph_def, seeds)
  random_numbers.draw_fresh(variant.graph_def, state)
  variant.random_state = tuple(variant.variables[name] for name in state)
  present = nodes_by_name(variant.graph_def)
  variant.updates = tuple(name for name in variant.updates if name in present)


def _forget_updates(variant: Variant, traced: _Traced) -> None:
  if not variant.is_training and variant.updates:
    logging.warning(
      "In inference, too, the ops %s change variables: those of a module stay "
      "as they are when it infers (F4)",
      variant.updates[:5],
    )
    variant.updates = ()


def _strip_activations(variant: Variant, traced: _Traced) -> None:
  task = contract.IMAGE_CLASSIFICATION
  if task in variant.tasks:
    found = logits.strip_activation(variant.graph_def, variant.tasks[task])
    variant.activations = {task: found} if found else {}


def _select_penalties(variant: Variant, traced: _Traced) -> None:
  """Finds which weight penalties are the same one, and which read images.

  What one origin has twice counts twice; what two origins have (a collection
  and a layer, say) is the same. Consumers import the collection without the
  inputs: a penalty that depends on the images would ask them for a placeholder
  that they do not know.
  """
  if not traced.trace.all_penalties:
    return
  graph_def = prune(variant.graph_def, traced.trace.all_penalties)
  hashes = fingerprints(graph_def, variant.leaves())
  of_images = descendants(graph_def, [contract.IMAGES])
  found: dict[bytes, list[str]] = {}
  dropped = []
  for origin in traced.trace.penalties:
    own: dict[bytes, list[str]] = {}
    for penalty in origin:
      if node_of(penalty) in of_images:
        dropped.append(_origin(graph_def, penalty))
      else:
        own.setdefault(hashes[node_of(penalty)], []).append(penalty)
    for content, names in own.items():
      if len(names) > len(found.get(content, ())):
        found[content] = names
  variant.penalties = tuple(n for names in found.values() for n in names)
  variant.dropped_penalties = tuple(dropped)


def _origin(graph_def: GraphDef, tensor: str) -> str:
  """The op behind a tensor that was only passed on."""
  nodes = nodes_by_name(graph_def)
  return node_of(passed_on(nodes, tensor, {"Identity", "Cast"}))


def _prune(variant: Variant, traced: _Traced) -> None:
  drop_unneeded(variant.graph_def, variant.served)
  for node in variant.graph_def.node:
    if REFUSED in node.attr:
      raise ValueError(node.attr[REFUSED].s.decode())


def _refuse_process_ops(variant: Variant, traced: _Traced) -> None:
  process_bound.refuse_process_ops(variant.graph_def)


def _drop_custom_gradients(variant: Variant, traced: _Traced) -> None:
  custom_gradients.drop_custom_gradients(variant.graph_def)


def _make_portable(variant: Variant, traced: _Traced) -> None:
  before, graph_def = _kinds(variant.graph_def), variant.graph_def
  variant.graph_def = portability.make_portable(graph_def)
  after = _kinds(variant.graph_def)
  changed = {*(before - after), *(after - before)}
  variant.rewritten = tuple(sorted(changed - _OF_AVERAGES))
  if any((after - before)[kind] for kind in ("Conv2D", "Conv3D")):
    whole = portability.make_portable(graph_def, split_groups=False)
    variant.unsplit = dataclasses.replace(variant, graph_def=whole)


def _kinds(graph_def: GraphDef) -> collections.Counter[str]:
  """How many ops there are of each kind that gradients go through."""
  count = collections.Counter(node.op for node in graph_def.node)
  for op in list(count):
    if "Random" in op or not known_ops.only_computes(op):
      del count[op]
  return count


def _find_decays(variant: Variant, traced: _Traced) -> None:
  if not (traced.find_decays and variant.is_training):
    return
  momentum = contract.BATCH_NORM_MOMENTUM
  if momentum not in nodes_by_name(variant.graph_def):
    given = nodes_by_name(traced.trace.graph_def)[momentum]
    variant.graph_def.node.append(given)
  averages = {name for name, v in variant.variables.items() if not v.trainable}
  found, left = decays.take_momentum(
    variant.graph_def, variant.updates, momentum, averages, contract.IMAGES
  )
  variant.decays = {variant.variables[k].name: v for k, v in found.items()}
  if 0 < len(left) < len(variant.updates):
    logging.warning(
      "%s does not change what the ops %s do: no decay was "
      "found there. Are they no moving averages of batch norm (H1)?",
      called("batch_norm_momentum"),
      left[:5],
    )


def _bypass_redundant_nodes(variant: Variant, traced: _Traced) -> None:
  bypass_redundant_nodes(variant.graph_def, variant.served)


def _share_between_tasks(variant: Variant, traced: _Traced) -> None:
  if len(variant.tasks) > 1:
    share_equal_nodes(variant.graph_def, variant.served)


def _assign_after_reads(variant: Variant, traced: _Traced) -> None:
  updates.assign_after_reads(variant.graph_def, variant.updates)


def _find_oldest_tensorflow(variant: Variant, traced: _Traced) -> None:
  oldest, reasons = oldest_tensorflow(variant.graph_def, training=True)
  variant.fine_tuned_from = oldest
  variant.fine_tuning_needs_newer = tuple(reasons)
  if reasons and not variant.is_training:  # To run it takes no more than that.
    oldest, reasons = oldest_tensorflow(variant.graph_def, training=False)
  variant.oldest_tensorflow, variant.needs_newer = oldest, tuple(reasons)


def _drop_private_attributes(variant: Variant, traced: _Traced) -> None:
  process_bound.drop_private_attributes(variant.graph_def)


def _name_functions(variant: Variant, traced: _Traced) -> None:
  variant.graph_def = inline.name_by_content(variant.graph_def)


def _keep_used_variables(variant: Variant, traced: _Traced) -> None:
  present = nodes_by_name(variant.graph_def)
  variables = variant.variables.items()
  variant.variables = {k: v for k, v in variables if k in present}


# In this order, each for the reason that stands beside it.
PASSES: tuple[tuple[Callable[[Variant, _Traced], None], str], ...] = (
  (_inline_calls, "first: all others look at one graph, not into calls"),
  (_resolve_fixed_flow, "makes calls, and inlines them: nothing is judged yet"),
  (_fill_constants, "before anything asks what a variable is, and what not"),
  (_drop_idle_draws, "needs constants; before draws are held against anyone"),
  (_make_values_of_state, "needs inlined bodies, and all control inputs"),
  (_draw_fresh, "needs values: then seeds are not hidden in branches"),
  (_forget_updates, "after draws: inference reads what it wrote, keeps none"),
  (_strip_activations, "needs reads as values, no control inputs in between"),
  (_select_penalties, "needs values, and no seeds: equal ones look the same"),
  (_prune, "once it is known what is served: nothing else may be refused"),
  (_refuse_process_ops, "needs pruning: what is not served may do anything"),
  (_drop_custom_gradients, "before rewrites: they copy what identities carry"),
  (_make_portable, "needs static shapes, and only what is served"),
  (_find_decays, "after rewrites, which spell what fused ops average"),
  (_bypass_redundant_nodes, "after rewrites, which bring constants twice"),
  (_share_between_tasks, "needs plain edges, and constants once"),
  (_prune, "takes away what is bypassed and shared"),
  (_assign_after_reads, "the last change of edges: it is for what is left"),
  (_find_oldest_tensorflow, "needs shapes, which are private attributes"),
  (_drop_private_attributes, "when nothing asks for shapes any more"),
  (_name_functions, "the last change of all: names are hashes of contents"),
  (_keep_used_variables, "needs the final graph"),
)


def make_variant(
  trace: Trace,
  captures: Captures,
  inference: Variant | None = None,
  find_decays: bool = False,
) -> Variant:
  """Makes a variant's graph of a trace: all PASSES, in their order.

  Args:
    trace: as `tracing.trace` returned it.
    captures: what the trace captured, named.
    inference: the inference variant, if this is that for training.
    find_decays: let moving averages decay by the momentum that is an input,
      where the source itself takes none (H1).

  Raises:
    ValueError: something in the graph cannot be part of a module.
  """
  variant = Variant(
    tags=contract.TRAIN_TAGS if inference else contract.INFERENCE_TAGS,
    graph_def=trace.graph_def,
    variables=captures.variables,
    tasks=trace.tasks,
    endpoints=trace.endpoints,
  )
  used = inference.variables.values() if inference else ()
  kept = frozenset(variable.name for variable in used)
  traced = _Traced(trace, captures, find_decays, kept)
  for run, _ in PASSES:
    unsplit = variant.unsplit
    run(variant, traced)
    if unsplit is not None:
      run(unsplit, traced)
  return variant
