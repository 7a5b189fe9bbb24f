# SPDX-License-Identifier: Apache-2.0
"""Rules about the objects of a reusable SavedModel (T8 to T14)."""

from __future__ import annotations

from hub_image_export import contract
from hub_image_export.checker.reading.call_graph_rules import (
  check_graphs,
  check_signatures,
)
from hub_image_export.checker.reading.call_rules import check_call
from hub_image_export.checker.reading.graph_rules import check_devices
from hub_image_export.checker.reading.near_misses import is_misspelt
from hub_image_export.checker.reading.saved_objects import (
  Callable,
  ReusableModule,
  SavedObjects,
  Spec,
  callables,
  is_plain,
)
from hub_image_export.checker.report import Found
from hub_image_export.checker.shapes import FLOAT32
from hub_image_export.untrusted import saved_models

_VARIABLES, _TRAINABLE = "variables", "trainable_variables"
_PENALTIES = contract.REGULARIZATION_LOSSES
# Names that were meant for these lists.
_MISSES = {
  _VARIABLES: ("_variables", "weights", "vars", "all_variables"),
  _TRAINABLE: ("trainable_weights", "trainables", "_trainable_variables"),
  _PENALTIES: ("losses", "regularizer_losses", "regularizers", "penalties"),
}


def check_reaching_out(module: ReusableModule) -> Found:
  """F5; TensorFlow runs parts of a SavedModel when it loads it."""
  for op in sorted(set(saved_models.problems(module.objects.meta_graph))):
    text = (
      f"Got {op}, which may use files, processes or Python, or is unknown to "
      "TensorFlow; expected computation alone. Replace it."
    )
    yield "not-hermetic", "", text


def check_objects(module: ReusableModule) -> Found:
  """Every rule that a reusable SavedModel's files show."""
  objects = module.objects
  for judged in callables(objects):
    yield from check_call(judged)
    if judged.call is not None:
      yield from _check_lists(judged)
      yield from _check_variables(judged)
      yield from _check_penalties(judged)
      yield from _check_widths(judged)
      yield from check_graphs(judged)
  yield from check_devices(objects.graph, "")
  yield from _check_names(objects)
  yield from check_signatures(objects)


def _near(judged: Callable, wanted: str) -> str:
  names = judged.objects.children(judged.node)
  for name in sorted(names):
    if name in _MISSES[wanted] or name.startswith(f"{wanted}_"):
      return f" (perhaps `{name}` was meant; rename it to `{wanted}`)"
    if is_misspelt(name, wanted) and name not in _MISSES:
      return f" (perhaps `{name}` was meant; rename it to `{wanted}`)"
  return ""


def _check_lists(judged: Callable) -> Found:
  """T8 to T10: the three attributes are lists, where they are needed."""
  objects, node = judged.objects, judged.node
  captured = _captured(judged)
  for name, needed in (
    (_VARIABLES, captured),
    (_TRAINABLE, {v for v in captured if objects.is_trainable(v)}),
    (_PENALTIES, set()),
  ):
    if objects.items(node, name) is not None:
      continue
    place, near = judged.where(name), _near(judged, name)
    if objects.child(node, name) is not None:
      text = f"Got something else; expected a list `{name}`. Save a list."
    elif needed or near:
      text = f"Got no such attribute; expected a list `{name}`{near}."
    else:
      continue
    if name == _TRAINABLE and not near:
      yield "no-trainable-variables", place, f"{text} Fine-tuning needs it."
    else:
      yield "variables-unlisted", place, text


def _captured(judged: Callable) -> set[int]:
  """The variables that some call uses."""
  captured = judged.call.captured if judged.call else ()
  return set(filter(judged.objects.is_variable, captured))


def _check_variables(judged: Callable) -> Found:
  objects, node = judged.objects, judged.node
  listed = objects.items(node, _VARIABLES)
  trainable = objects.items(node, _TRAINABLE) or []
  everything = set(listed) if listed is not None else _captured(judged)
  for variable in sorted(_captured(judged) - everything):
    text = (
      f"It lacks {objects.variable_name(variable)}, which `__call__` uses; "
      "expected all that any call may use, moving averages included. Add it."
    )
    yield "variables-unlisted", judged.where(_VARIABLES), text
  for variable in trainable:
    name = objects.variable_name(variable)
    problem = None
    if variable not in everything:
      problem = f"It has {name}, which `{_VARIABLES}` lacks"
    elif not objects.is_trainable(variable):
      problem = f"It has {name}, which is not trainable"
    if problem:
      text = (
        f"{problem}; expected a part of `{_VARIABLES}`, each with `trainable` "
        "set. Correct the lists."
      )
      yield "variables-unlisted", judged.where(_TRAINABLE), text
  is_empty = not trainable and objects.items(node, _TRAINABLE) is not None
  if is_empty and any(map(objects.is_trainable, _captured(judged))):
    text = "Got an empty list; expected the weights. Fine-tuning needs them."
    yield "no-trainable-variables", judged.where(_TRAINABLE), text


def _check_penalties(judged: Callable) -> Found:
  objects = judged.objects
  for i, node in enumerate(objects.items(judged.node, _PENALTIES) or ()):
    function, problem = objects.function(node), None
    if function is None:
      problem = f"Got a {objects.kind(node).replace('_', ' ')}"
    elif any(p.required for p in function.parameters):
      names = [p.name for p in function.parameters]
      problem = f"Got a function of {names}"
    elif not function.traces:
      problem = "Got a function that was never traced"
    elif not any(map(objects.is_variable, function.captured)):
      problem = "Got a function that uses no variable"
    else:
      results = [t.result for t in function.traces]
      if any(r != Spec((), FLOAT32) for r in results):
        problem = "Got a function whose result is no float32 scalar"
    if problem:
      text = (
        f"{problem}; expected functions of no argument, each of which gives a "
        "float32 scalar of weights alone. Wrap it in a tf.function."
      )
      yield "penalty-ill-formed", judged.where(f"{_PENALTIES}[{i}]"), text


def _check_widths(judged: Callable) -> Found:
  """Training gives what inference gives."""
  call = judged.call
  widths = {
    t.result.shape[1]
    for t in (call.traces if call else ())
    if is_plain(call, t) and isinstance(t.result, Spec)
    if t.result.shape is not None and len(t.result.shape) == 2
  }
  if len(widths - {None}) > 1:
    text = (
      f"Got {sorted(w for w in widths if w)} values per image in different "
      "calls; expected one width."
    )
    yield "width-differs", judged.where("result"), text


def _check_names(objects: SavedObjects) -> Found:
  """T12, T14."""
  children = objects.children(0)
  for name in sorted(children):
    for task in contract.TASKS:
      if task not in children and is_misspelt(name, task):
        text = f"Got a sub-object `{name}`; expected `{task}`. Rename it."
        yield "no-task-signature", name, text, "warning"
  if objects.child(0, "__call__") is not None and (
    contract.SERVING_SIGNATURE not in objects.signatures
  ):
    text = (
      f"Got the signatures {sorted(objects.signatures)[:8]}; expected "
      f"`serving_default`, which servers and converters look for. Give "
      "tf.saved_model.save signatures."
    )
    yield "no-default-signature", "", text, "info"
