"""What all builders do: check the arguments, trace, assemble the module."""

from __future__ import annotations

import dataclasses
import difflib
import numbers
from collections.abc import Sequence
from typing import Any

from absl import logging

from hub_image_export import contract, keras_layers, preprocessing
from hub_image_export import labels as labels_lib
from hub_image_export.compat import hub, run_eagerly, tf
from hub_image_export.image_function import (
  ImageFunction,
  check_momentum_is_used,
  make_image_function,
)
from hub_image_export.module_function import ModuleFunction
from hub_image_export.module_graph import Interface
from hub_image_export.results import Request
from hub_image_export.sources import Source, as_source
from hub_image_export.spec import ImageModuleSpec, make_spec
from hub_image_export.tracing import Plan

_OTHER_SIZE = (32, 64)


@dataclasses.dataclass(frozen=True)
class Options:
  """The arguments that all builders share; see `make_feature_vector_module`."""

  arch_name: str | None = None
  preprocess: preprocessing.Preprocess = None
  endpoints: Sequence[str] | None = None
  variable_size: bool = False
  training: bool | None = None
  batch_norm_momentum: bool = False
  drop_collections: Sequence[str] = ()
  allow_custom_gradients: bool = False

  @classmethod
  def of(cls, options: dict[str, Any]) -> Options:
    """Raises TypeError for options that do not exist, with the nearest."""
    known = [field.name for field in dataclasses.fields(cls)]
    for name in options:
      if name not in known:
        near = difflib.get_close_matches(name, known, 1) or known
        raise TypeError(
          f"there is no argument {name!r}: did you mean {' or '.join(near)}?"
        )
    return cls(**options)

  def check(self) -> None:
    """Raises TypeError or ValueError for values that make no sense."""
    if self.arch_name is not None:
      _check_arch_name(self.arch_name)
    _check_strings("endpoints", self.endpoints or ())
    _check_strings("drop_collections", self.drop_collections)
    for name in ("variable_size", "allow_custom_gradients"):
      _check_bool(name, getattr(self, name))
    if self.training is not None:
      _check_bool("training", self.training)
    _check_batch_norm_momentum(self.batch_norm_momentum)
    essential = contract.ESSENTIAL_COLLECTIONS & set(self.drop_collections)
    if essential:
      raise ValueError(
        f"drop_collections has {sorted(essential)}: a module without would "
        "have no weights, or could not be fine-tuned (F3, F4). Leave them out"
      )


def build(
  fn: Any,
  height: int,
  width: int,
  *,
  tasks: tuple[str, ...] | None,
  default_task: str,
  options: Options,
  feature_layer: str | None = None,
  num_classes: int | None = None,
  labels: Any = None,
) -> ImageModuleSpec:
  """Builds a module; the arguments are those of the builders.

  Args:
    tasks: the tasks that `fn` computes; None where it returns them by name.
  """
  _check_size("height", height)
  _check_size("width", width)
  options.check()
  _check_default_task(default_task)
  if feature_layer is not None and not isinstance(feature_layer, str):
    raise TypeError(
      f"feature_layer is {feature_layer!r}: expected the name of a Keras layer"
    )
  if num_classes is not None:
    _check_size("num_classes", num_classes)
  classes = labels_lib.resolve(labels)
  interface = Interface(
    default_task=default_task,
    height=int(height),
    width=int(width),
    variable_size=options.variable_size,
    bn_hparams=options.batch_norm_momentum,
    labels=classes,
    preprocessing=preprocessing.describe(options.preprocess),
  )
  request = Request(
    tasks=tasks,
    endpoints=tuple(options.endpoints or ()),
    feature_layer=feature_layer,
    arch_name=options.arch_name,
  )
  function = run_eagerly(lambda: _trace(fn, interface, request, options))
  _check_widths(function, interface, num_classes)
  _warn_of_bare_endpoints(function)
  return make_spec(function, interface)


def _trace(
  fn: Any, interface: Interface, request: Request, options: Options
) -> ImageFunction:
  preprocess = preprocessing.resolve(options.preprocess)
  _warn_of_double_rescaling(fn, options.preprocess)
  size = (interface.height, interface.width)
  plan = Plan(
    source=_source(fn, size, request),
    request=request,
    preprocess=preprocess,
    size=(None, None) if interface.variable_size else size,
    momentum=interface.bn_hparams,
  )
  function = make_image_function(
    plan,
    training=options.training,
    drop_collections=tuple(options.drop_collections),
    allow_custom_gradients=options.allow_custom_gradients,
  )
  if interface.bn_hparams:
    check_momentum_is_used(function)
  if interface.variable_size:
    _check_other_size(function, interface)
  return function


def _source(fn: Any, size: tuple[int, int], request: Request) -> Source:
  if isinstance(fn, hub.ModuleSpec):
    fn = ModuleFunction(fn, tasks=request.tasks)
  if isinstance(fn, ModuleFunction):
    return fn.as_source()
  return as_source(fn, *size)


def _check_other_size(function: ImageFunction, interface: Interface) -> None:
  """C3: what holds for the expected size has to hold for another one."""
  height = interface.height + _OTHER_SIZE[0]
  width = interface.width + _OTHER_SIZE[1]
  hparams = [
    tf.constant(contract.DEFAULT_BATCH_NORM_MOMENTUM)
  ] * interface.bn_hparams
  try:
    function.reference(tf.zeros([1, height, width, 3]), *hparams)
  except tf.errors.OpError as error:
    raise ValueError(
      f"variable_size=True, but {function.name} fails for images of "
      f"{height}x{width} pixels: {error.message.splitlines()[0]}. Leave "
      "variable_size out, or pool over height and width"
    ) from error


def _check_widths(
  function: ImageFunction, interface: Interface, num_classes: int | None
) -> None:
  task = contract.IMAGE_CLASSIFICATION
  tasks = function.inference.tasks
  if interface.default_task not in tasks:
    raise ValueError(
      f"default_task is {interface.default_task!r}, but fn returned "
      f"{sorted(tasks)}: expected it among them"
    )
  if task not in tasks:
    if num_classes is not None or interface.labels:
      raise ValueError(
        f"num_classes or labels are given, but fn returned no {task!r}"
      )
    return
  width = function.widths[task]
  labels_lib.check_width(interface.labels, width)
  if num_classes not in (None, width):
    raise ValueError(
      f"num_classes is {num_classes}, but {function.name} gives {width} scores"
      + labels_lib.background_hint(num_classes, width)
    )


def _warn_of_bare_endpoints(function: ImageFunction) -> None:
  bare = [key for key in function.inference.endpoints if "/" not in key]
  if bare:
    logging.warning(
      "The endpoints %s have no architecture's name in front: consumers may "
      "confuse them with another network's. Give arch_name (C10)",
      bare,
    )


def _warn_of_double_rescaling(fn: Any, preprocess: Any) -> None:
  if preprocess is None or not keras_layers.is_model(fn):
    return
  for layer in fn.layers[:4]:
    if type(layer).__name__ == "Rescaling":
      logging.warning(
        "preprocess=%r is given, and %r starts with the rescaling layer %r: "
        "are pixels rescaled twice?",
        preprocess,
        fn.name,
        layer.name,
      )


def _check_size(name: str, value: Any) -> None:
  if isinstance(value, bool) or not isinstance(value, numbers.Integral):
    raise TypeError(
      f"{name} is {value!r} of type {type(value).__name__}: expected a "
      "positive integer"
    )
  if value <= 0:
    raise ValueError(f"{name} is {value}: expected a positive integer")


def _check_bool(name: str, value: Any) -> None:
  if not isinstance(value, bool):
    raise TypeError(f"{name} is {value!r}: expected True or False")


def _check_batch_norm_momentum(value: Any) -> None:
  if isinstance(value, numbers.Real) and not isinstance(value, bool):
    in_range = "" if 0 <= value <= 1 else ", and momentum lies in [0, 1]"
    raise ValueError(
      f"batch_norm_momentum is {value}: expected True or False{in_range}. "
      "Consumers give the momentum; 0.99 holds where they give none (H1)"
    )
  _check_bool("batch_norm_momentum", value)


def _check_strings(name: str, value: Any) -> None:
  if isinstance(value, str) or not isinstance(
    value, (Sequence, set, frozenset)
  ):
    raise TypeError(f"{name} is {value!r}: expected a list of strings")
  for item in value:
    if not isinstance(item, str) or not item:
      raise TypeError(f"{name} has {item!r}: expected strings")


def _check_arch_name(value: Any) -> None:
  if not isinstance(value, str):
    raise TypeError(f"arch_name is {value!r}: expected a string")
  if not value or value != value.strip("/ "):
    raise ValueError(
      f"arch_name is {value!r}: expected a name without slashes or blanks "
      "around it, such as 'InceptionV3'"
    )


def _check_default_task(value: Any) -> None:
  if value in contract.TASKS:
    return
  near = difflib.get_close_matches(str(value), contract.TASKS, 1, 0.3)
  hint = f" Did you mean {near[0]!r}?" if near else ""
  raise ValueError(
    f"default_task is {value!r}: expected one of {contract.TASKS}.{hint}"
  )
