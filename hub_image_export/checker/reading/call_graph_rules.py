# SPDX-License-Identifier: Apache-2.0
"""Rules about the graphs behind a reusable SavedModel's calls (T4 to T9)."""

from __future__ import annotations

from hub_image_export import contract
from hub_image_export.checker.reading.noise_rules import find_noise, innermost
from hub_image_export.checker.reading.output_rules import check_last_op
from hub_image_export.checker.reading.saved_objects import (
  Callable,
  SavedObjects,
  Trace,
  is_plain,
)
from hub_image_export.checker.report import Found
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.untrusted.graph import Graph, body

_RESOURCE: int = tf.resource.as_datatype_enum


def check_graphs(judged: Callable) -> Found:
  """What calls compute with, and what they assign to."""
  for trace in judged.call.traces if judged.call else ():
    if is_plain(judged.call, trace):
      yield from _check_result(judged, trace)
      yield from _check_written(judged, trace)
  yield from _check_averages(judged)


def check_signatures(objects: SavedObjects) -> Found:
  """T14: signatures infer only."""
  signatures = objects.child(0, "signatures")
  children = objects.children(signatures) if signatures is not None else {}
  for name, node in sorted(children.items()):
    concrete = objects.nodes[node].bare_concrete_function.concrete_function_name
    if concrete in objects.concrete_functions:
      inputs = objects.concrete_functions[concrete].bound_inputs
      for variable in sorted(written(objects, concrete, tuple(inputs))):
        yield _updates(objects, variable, f'signature "{name}"')


def written(
  objects: SavedObjects, name: str, captured: tuple[int, ...]
) -> set[int]:
  """The variables that a function, which captures nodes, assigns to."""
  function = objects.graph.functions.get(name)
  if function is None:
    return set()
  first = len(function.signature.input_arg) - len(captured)
  places = objects.graph.written_arguments
  return {
    node
    for i, node in enumerate(captured)
    if (name, first + i) in places and objects.is_variable(node)
  }


def _updates(
  objects: SavedObjects, variable: int, place: str
) -> tuple[str, str, str]:
  text = (
    f"It assigns to {objects.variable_name(variable)}; expected that only "
    f"calls with training=True change anything. Let inference leave it."
  )
  return "updates-without-asking", place, text


def _check_written(judged: Callable, trace: Trace) -> Found:
  objects = judged.objects
  if contract.TRAINING in trace.arguments.keys() - trace.options.keys():
    return  # It is a tensor, and told elsewhere.
  for variable in sorted(written(objects, trace.name, trace.captured)):
    if not trace.options.get(contract.TRAINING):
      yield _updates(objects, variable, judged.where())
    elif objects.is_trainable(variable):
      text = (
        f"With training=True it assigns to "
        f"{objects.variable_name(variable)}, which is trainable; expected that "
        "calls move moving averages alone, and that optimizers move weights. "
        "Let it be one of the two."
      )
      # Calls come one after the other: nothing is lost, it is only odd.
      yield "updates-trainable", judged.where(), text, "warning"


def _check_averages(judged: Callable) -> Found:
  """What inference reads and training does not is a moving average."""
  objects, call = judged.objects, judged.call
  used: dict[bool, set[int]] = {}
  for trace in call.traces if call else ():
    if is_plain(call, trace):
      mode = bool(trace.options.get(contract.TRAINING))
      used.setdefault(mode, set()).update(trace.captured)
  if len(used) < 2:
    return
  for node in sorted(filter(objects.is_variable, used[False] - used[True])):
    if objects.is_trainable(node):
      text = (
        f"{objects.variable_name(node)} is what inference computes with, and "
        "a call with training=True does not; expected that consumers "
        "fine-tune what they use. Use it in both."
      )
      yield "trainable-differ", judged.where(), text
    else:
      text = (
        f"{objects.variable_name(node)} is what inference computes with, and "
        f"a call with training=True neither uses nor updates it; expected "
        "every moving average to move. Assign to it in that call."
      )
      yield "no-update-ops", judged.where(), text


def _check_result(judged: Callable, trace: Trace) -> Found:
  found = result(judged.objects, trace.name)
  if found is None:
    return
  graph, tensor, fed = found
  is_inference = not trace.options.get(contract.TRAINING)
  place = judged.where("result")
  yield from find_noise(graph, tensor, fed, is_inference, place)
  yield from check_last_op(graph, tensor, place, judged.is_classifier)


def result(
  objects: SavedObjects, name: str
) -> tuple[Graph, str, list[str]] | None:
  """The function in which the first result is computed, and its arguments."""
  function = objects.graph.functions.get(name)
  if function is None or not function.signature.output_arg:
    return None
  output = function.signature.output_arg[0].name
  if output not in function.ret:
    return None
  arguments = function.signature.input_arg
  fed = [a.name for a in arguments if a.type != _RESOURCE]
  return innermost(objects.graph, body(function), function.ret[output], fed)
