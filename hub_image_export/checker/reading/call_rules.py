# SPDX-License-Identifier: Apache-2.0
"""Rules about what a reusable SavedModel can be called with (T1 to T7, T11)."""

from __future__ import annotations

from typing import Any

from hub_image_export import contract
from hub_image_export.checker.reading.saved_objects import (
  CALL,
  Callable,
  SavedFunction,
  Spec,
  Trace,
  is_plain,
)
from hub_image_export.checker.reading.tensor_rules import (
  check_image_tensor,
  check_result_tensor,
)
from hub_image_export.checker.report import Found

# What publishers call `training`, and `__call__`.
_TRAINING_MISSES = (
  "trainable", "is_training", "train", "is_train", "trainig", "learning_phase",
  "mode", "is_trainable", "training_mode",
)  # fmt: skip
_CALL_MISSES = ("call", "predict", "forward", "apply", "serve", "inference")
_ROUNDING = 1e-6


def check_call(judged: Callable) -> Found:
  """T1, and whatever stands in the parameters and traces of `__call__`."""
  call = judged.call
  if call is None:
    yield "not-callable", judged.where(), _not_callable(judged)
    return
  if not call.traces:
    text = (
      "Got a tf.function that was never traced; expected a trace for each "
      "permissible call. Call it, or its get_concrete_function, before saving."
    )
    yield "traces-missing", judged.where(), text
    return
  yield from _check_parameters(judged, call)
  yield from _check_traces(judged, call)
  for images in judged.images:
    yield from _check_images(judged, images)
  for trace in call.traces:
    yield from _check_result(judged, call, trace)


def _not_callable(judged: Callable) -> str:
  objects, node = judged.objects, judged.node
  children = objects.children(node)
  got = f"Got an object with {sorted(children)[:8]} and without `{CALL}`"
  expected = (
    f"expected a tf.function `{CALL}` of images, or it cannot be fine-tuned. "
    "Save an object that has one"
  )
  if judged.name and objects.kind(node) in (
    "function",
    "bare_concrete_function",
  ):
    return (
      "Got a bare function; expected an object with `__call__`, `variables`, "
      "`trainable_variables` and `regularization_losses`, which can be used "
      "and trained alone (T12). Save such an object."
    )
  if CALL in children:
    kind = objects.kind(children[CALL]).replace("_", " ")
    got = f"Got a `{CALL}` that is a {kind}, and no tf.function"
  elif "serve" in children and (
    "_endpoint_names" in children or "signatures" in children
  ):
    got += ", as Keras' model.export() writes it: it can only infer"
  elif found := [n for n in _CALL_MISSES if n in children]:
    expected += f" (perhaps `{found[0]}` was meant for it)"
  elif found := [
    n for n, c in children.items() if objects.child(c, CALL) is not None
  ]:
    expected += f" (as `{found[0]}` here does)"
  return f"{got}; {expected}."


def _check_parameters(judged: Callable, call: SavedFunction) -> Found:
  names = [p.name for p in call.parameters]
  required = [p.name for p in call.parameters if p.required]
  if len(required) != 1 or not names or required[0] != names[0]:
    text = (
      f"Got the parameters {names}, of which {required} are required; expected "
      "one that is, the first, for the batch of images. Give the others "
      "defaults."
    )
    yield "call-arguments", judged.where(), text
  training = call.parameter(contract.TRAINING)
  if training is None:
    yield from _check_without_training(judged, call, names)
  elif training.default not in (False, None):
    text = (
      f"Got {training.default!r} as the default of `training`; expected "
      "False, so that a plain call infers. Change it."
    )
    yield "call-arguments", judged.where(contract.TRAINING), text
  momentum = call.parameter(contract.BATCH_NORM_MOMENTUM)
  usual = contract.DEFAULT_BATCH_NORM_MOMENTUM
  given = momentum.default if momentum is not None else None
  if isinstance(given, float) and abs(given - usual) > _ROUNDING:
    text = (
      f"Got a momentum of {given:g} where none is given; expected {usual}. "
      "Make that the default."
    )
    place = judged.where(contract.BATCH_NORM_MOMENTUM)
    yield "bn-hparams-dead", place, text


def _check_without_training(
  judged: Callable, call: SavedFunction, names: list[str]
) -> Found:
  expected = "expected `training`, a Python bool that is False by default"
  near = [name for name in names[1:] if name.lower() in _TRAINING_MISSES]
  if near:
    text = (
      f"Got a parameter `{near[0]}`; {expected}. hub.KerasLayer passes that "
      "name alone. Rename it."
    )
    yield "call-arguments", judged.where(near[0]), text
    return
  objects = judged.objects
  averages = [
    n
    for n in call.captured
    if objects.is_variable(n)
    and not objects.is_trainable(n)
    and "moving_" in objects.variable_name(n)
  ]
  if averages:
    text = (
      f"Got no such parameter, and variables as "
      f"{objects.variable_name(min(averages))} that training moves; "
      f"{expected}. Add it."
    )
    yield "call-arguments", judged.where(contract.TRAINING), text, "warning"


def _check_traces(judged: Callable, call: SavedFunction) -> Found:
  """T7: each way to call it in inference is one in training, too."""
  if call.parameter(contract.TRAINING) is None:
    return
  if any(
    isinstance(t.arguments.get(contract.TRAINING), Spec) for t in call.traces
  ):
    text = (
      "Got a trace that takes `training` as a tensor; expected a Python "
      "bool, which is what consumers pass, and a trace for each of the two. "
      "Trace it with True and with False."
    )
    yield "traces-missing", judged.where(contract.TRAINING), text
    return
  modes: dict[str, set[bool]] = {}
  for trace in call.traces:
    options = {
      name: value
      for name, value in trace.options.items()
      if name != contract.TRAINING and not _is_number(value)
    }
    modes.setdefault(repr(sorted(options.items(), key=str)), set()).add(
      bool(trace.options.get(contract.TRAINING))
    )
  for shown, found in sorted(modes.items()):
    for mode in sorted({False, True} - found):
      given = "" if shown == "[]" else f" with {shown}"
      text = (
        f"Got no trace for training={mode}{given}; expected one for each "
        "permissible call: a consumer's fails with 'could not find matching "
        "function'. Trace it before saving."
      )
      yield "traces-missing", judged.where(), text


def _is_number(value: Any) -> bool:
  """Such a value stands for a tensor, which another trace takes."""
  return isinstance(value, (int, float)) and not isinstance(value, bool)


def _check_images(judged: Callable, images: Any) -> Found:
  place = judged.where("images")
  if not isinstance(images, Spec):
    text = (
      f"Got {type(images).__name__} as the first argument; expected one dense "
      "tensor of images."
    )
    yield "images-missing", place, text
    return
  yield from check_image_tensor(images.dtype, images.shape, place)


def _check_result(judged: Callable, call: SavedFunction, trace: Trace) -> Found:
  """T4, T5, T13; what a flag asks for may have another structure."""
  if not is_plain(call, trace):
    return
  result, place = trace.result, judged.where("result")
  if not isinstance(result, Spec):
    kind = type(result).__name__
    keys = f" with the keys {sorted(result)[:8]}" if kind == "dict" else ""
    text = (
      f"Got a {kind}{keys} from a plain call; expected one tensor, and a dict "
      "only where a flag such as return_endpoints=True asks for it. Return the "
      "features or logits alone."
    )
    yield "output-structure", place, text
    return
  yield from check_result_tensor(result.dtype, result.shape, place)
