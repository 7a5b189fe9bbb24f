# SPDX-License-Identifier: Apache-2.0
"""What a function has and its module cannot have: left out, or refused.

Collections of any name, and endpoints that one variant alone has. Where a
consumer would miss something, the function has to say it in another way.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable
from typing import Any

from absl import logging

from hub_image_export import contract
from hub_image_export.arguments import called
from hub_image_export.graph.state_ops import WRITES
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tracing.trace import Plan, Trace

_CALLS = frozenset({"If", "While", "StatefulPartitionedCall", "Case"})


def check_collections(traces: list[Trace], dropped: tuple[str, ...]) -> None:
  """Leaves collections out that hold nothing for consumers.

  Endpoints, counters, lists of variables, summaries: what a module computes
  and trains is the same without. An op that alone changes variables, and a
  number that may be a loss, are missed.

  Raises:
    ValueError: consumers would miss something, in any of the variants.
  """
  missed: dict[str, str] = {}
  harmless: dict[str, int] = {}
  for traced in traces:
    for key in traced.collections:
      if key in contract.SUPPORTED_COLLECTIONS or key in dropped:
        continue
      if key in traced.imports.collections:  # Of a whole training program.
        continue
      entries = _flat(traced.wrapped.graph.get_collection(key))
      harmless[key] = max(len(entries), harmless.get(key, 0))
      for entry in entries:
        problem = _problem(entry, traced)
        if problem:
          missed.setdefault(key, problem)
  if missed:
    found = "; ".join(f"{key!r} has {what}" for key, what in missed.items())
    raise ValueError(
      f"the function fills the collections {sorted(missed)}, which a module "
      f"cannot have, and consumers would miss what is in them: {found}. Put "
      "penalties on weights into REGULARIZATION_LOSSES and updates into "
      "UPDATE_OPS, or leave the collections out with "
      f"{called('drop_collections', tuple(sorted(missed)))}"
    )
  if harmless:
    shown = ", ".join(f"{k} ({n})" for k, n in sorted(harmless.items()))
    logging.info(
      "Collections that a module does not have are left out, with as many "
      "endpoints, counters, variables and the like: %s",
      shown,
    )


def _flat(entries: list[Any]) -> list[Any]:
  try:
    return tf.nest.flatten(entries)
  except (TypeError, ValueError):  # Dicts whose keys have no order, say.
    return entries


def _problem(entry: Any, traced: Trace) -> str | None:
  """What consumers would miss without this entry of a collection."""
  op = getattr(entry, "op", entry)  # Variables have none here.
  if not isinstance(op, tf.Operation) or op.graph is not traced.wrapped.graph:
    return None
  graph = traced.wrapped.graph
  penalties = graph.get_collection(contract.REGULARIZATION_LOSSES)
  if any(entry is penalty for penalty in penalties):
    return None
  if _writes([op]) - _writes(_served(traced)):
    return f"an op that changes variables ({op.name!r})"
  if tf.is_tensor(entry) and entry.dtype.is_floating and entry.shape.rank == 0:
    return f"what may be a loss ({entry.name!r}, a number)"
  return None


def _served(traced: Trace) -> list[Any]:
  """The ops whose results consumers get, or run."""
  graph = traced.wrapped.graph
  names = [*traced.tasks.values(), *traced.endpoints.values()]
  names += [*traced.all_penalties, *traced.update_ops]
  elements = map(graph.as_graph_element, names)
  return [getattr(element, "op", element) for element in elements]


def _writes(ops: Iterable[Any]) -> set[str]:
  """Names of the ops, of these and those before, that change variables.

  Whole numbers count something: steps, examples. Nothing is computed of them.
  """
  pending = collections.deque(ops)
  seen = {op.name: op for op in pending}
  while pending:
    op = pending.popleft()
    for before in (*(t.op for t in op.inputs), *op.control_inputs):
      if before.name not in seen:
        seen[before.name] = before
        pending.append(before)
  return {name for name, op in seen.items() if _changes(op)}


def _changes(op: Any) -> bool:
  if op.type in _CALLS:
    return any(tensor.dtype == tf.resource for tensor in op.inputs)
  if op.type not in WRITES:
    return False
  counts = len(op.inputs) > 1 and op.inputs[1].dtype.is_integer
  return not (counts and op.type.startswith("Assign"))


def in_both(plan: Plan, traces: list[Trace]) -> tuple[Plan, list[Trace]]:
  """Leaves endpoints out that one of the variants does not have (C10).

  Raises:
    ValueError: the variants have different tasks, or widths (C3, C6).
  """
  if len(traces) < 2:
    return plan, traces
  _check_tasks(traces)
  here, there = (traced.endpoints for traced in traces)
  apart = sorted(here.keys() ^ there.keys())
  if not apart:
    return plan, traces
  when = "training" if set(apart) <= there.keys() else "one variant"
  logging.warning(
    "The endpoints %s exist only in %s: left out, a module has the same in "
    "both variants (C10)",
    apart,
    when,
  )
  request = dataclasses.replace(plan.request, left_out=frozenset(apart))
  return dataclasses.replace(plan, request=request), [
    dataclasses.replace(
      traced,
      endpoints={k: v for k, v in traced.endpoints.items() if k not in apart},
    )
    for traced in traces
  ]


def _check_tasks(traces: list[Trace]) -> None:
  widths = [
    {
      task: traced.wrapped.graph.get_tensor_by_name(name).shape[1]
      for task, name in traced.tasks.items()
    }
    for traced in traces
  ]
  if widths[0] != widths[1]:
    raise ValueError(
      f"for inference the function returns {widths[0]} (values for each image, "
      f"by task), and for training {widths[1]}: expected the same in both "
      "(C3, C6, C10). Return the same outputs in both"
    )
