# SPDX-License-Identifier: Apache-2.0
"""Rules about the graphs behind a reusable SavedModel's calls (T4 to T9)."""

from __future__ import annotations

from hub_image_export import contract
from hub_image_export.checker.reading.noise_rules import find_noise
from hub_image_export.checker.reading.output_rules import FEATURES_EXPECTED
from hub_image_export.checker.reading.saved_objects import (
  Callable,
  SavedObjects,
  Trace,
  is_plain,
)
from hub_image_export.checker.report import Found
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.untrusted.graph import (
  Graph,
  body,
  function_names,
  node_name,
  output_index,
)

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
  for node in sorted(used[False] - used[True]):
    if objects.is_variable(node) and not objects.is_trainable(node):
      text = (
        f"{objects.variable_name(node)} is what inference computes with, and "
        f"a call with training=True neither uses nor updates it; expected "
        "every moving average to move. Assign to it in that call."
      )
      yield "no-update-ops", judged.where(), text


def _check_result(judged: Callable, trace: Trace) -> Found:
  found = _result(judged.objects, trace.name)
  if found is None:
    return
  graph, tensor, fed = found
  is_inference = not trace.options.get(contract.TRAINING)
  place = judged.where("result")
  yield from find_noise(graph, tensor, fed, is_inference, place)
  source = node_name(graph.behind_forwarding(tensor))
  op, comes = graph.op(source), f"It comes from the {graph.op(source)} {source}"
  if op in ("Softmax", "Sigmoid") and judged.is_classifier:
    text = f"{comes}; expected logits. Give what goes into it."
    yield "probabilities", place, text
  elif op == "Softmax":
    yield "probabilities", place, f"{comes}; {FEATURES_EXPECTED}", "warning"
  elif op in ("Relu", "Relu6", "Softplus") and judged.is_classifier:
    text = (
      f"{comes}, which gives no negative numbers; expected linear scores. Give "
      "what goes into it."
    )
    yield "probabilities", place, text, "warning"


def _result(
  objects: SavedObjects, name: str
) -> tuple[Graph, str, list[str]] | None:
  """The function in which the first result is computed, and its arguments."""
  index, seen = 0, set()
  functions = objects.graph.functions
  while name in functions and name not in seen:
    seen.add(name)
    function = functions[name]
    outputs = function.signature.output_arg
    if index >= len(outputs) or outputs[index].name not in function.ret:
      return None
    graph, tensor = body(function), function.ret[outputs[index].name]
    tensor = graph.behind_forwarding(tensor)
    node = graph.nodes.get(node_name(tensor))
    called = [f for f in function_names(node) if f in functions] if node else []
    if len(called) != 1:
      arguments = function.signature.input_arg
      fed = [a.name for a in arguments if a.type != _RESOURCE]
      return graph, function.ret[outputs[index].name], fed
    name, index = called[0], output_index(tensor)
  return None
