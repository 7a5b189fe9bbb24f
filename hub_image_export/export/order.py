# SPDX-License-Identifier: Apache-2.0
"""What a builder is asked for: all of its arguments, checked, in one record."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, TypedDict

from hub_image_export import arguments, contract
from hub_image_export.arguments import called
from hub_image_export.export import labels as labels_lib
from hub_image_export.export.interface import Interface
from hub_image_export.sources import preprocessing
from hub_image_export.sources.preprocessing import Preprocess


class Options(TypedDict, total=False):
  """The arguments that all builders share; see `make_feature_vector_module`."""

  arch_name: str | None
  preprocess: Preprocess
  output: str | None
  endpoints: Sequence[str] | None
  variable_size: bool
  training: bool | None
  batch_norm_momentum: bool
  drop_collections: Sequence[str]
  allow_custom_gradients: bool


@dataclasses.dataclass(frozen=True)
class Order:
  """A module, as it was asked for.

  Attributes:
    height: expected height of the images, in pixels (C15, C16).
    width: likewise.
    tasks: those that `fn` computes; None where it returns them by name (C11).
    default_task: the one that `default` serves (C9).
    feature_layer: the Keras layer that yields the feature vector, or None.
    num_classes: how many there must be, or None.
    labels: names of the classes in order, or None (C8).
    arch_name: prefix of the endpoints' names, or None (C10).
    preprocess: what the network wants of RGB in [0, 1] (C12).
    output: which of several outputs is the main one, or None.
    endpoints: names of Keras layers to expose.
    variable_size: whether images of any size are accepted (C15).
    training: whether there is a variant for training; None: if it differs (F2).
    batch_norm_momentum: whether that is an input (H1).
    drop_collections: what a TF1 function fills and a module cannot have.
    allow_custom_gradients: whether gradients may become TensorFlow's own (F5).
  """

  height: int
  width: int
  tasks: tuple[str, ...] | None
  default_task: str
  feature_layer: str | None = None
  num_classes: int | None = None
  labels: tuple[str, ...] | None = None
  arch_name: str | None = None
  preprocess: Preprocess = None
  output: str | None = None
  endpoints: tuple[str, ...] = ()
  variable_size: bool = False
  training: bool | None = None
  batch_norm_momentum: bool = False
  drop_collections: tuple[str, ...] = ()
  allow_custom_gradients: bool = False

  @classmethod
  def of(
    cls, height: Any, width: Any, options: Options, **others: Any
  ) -> Order:
    """Checks arguments of builders.

    Args:
      height, width: as given.
      options: those that all builders share, and the user gave.
      **others: those that some builders have; `labels` may be a file.

    Raises:
      TypeError: one is of the wrong type, or there is none of its name: the
        nearest is told.
      ValueError: one makes no sense, or contradicts another.
    """
    arguments.check_known(options, list(Options.__annotations__))
    given: dict[str, Any] = {**options, **others}
    given["height"], given["width"] = arguments.check_image_size(height, width)
    given["labels"] = labels_lib.resolve(given.get("labels"))
    if given.get("num_classes") is not None:
      given["num_classes"] = arguments.check_size(
        "num_classes", given["num_classes"]
      )
    if given.get("endpoints") is None:
      given["endpoints"] = ()
    for name in ("endpoints", "drop_collections"):
      given[name] = arguments.check_strings(name, given.get(name, ()))
    order = cls(**given)
    order._check()
    if order.num_classes is not None:
      labels_lib.check_width(order.labels, order.num_classes)
    return order

  def _check(self) -> None:
    arguments.check_choice("default_task", self.default_task, contract.TASKS)
    if self.feature_layer is not None:
      arguments.check_name(
        "feature_layer", self.feature_layer, "the name of a Keras layer"
      )
    if self.output is not None:
      arguments.check_name("output", self.output, "the name of an output")
      if self.tasks is None and self.feature_layer is None:
        raise ValueError(
          f"{called('output', self.output)} is the only output then, and there "
          f"are several tasks: expected {called('feature_layer')}, too"
        )
    if self.arch_name is not None:
      _check_arch_name(self.arch_name)
    preprocessing.resolve(self.preprocess)
    for name in ("variable_size", "allow_custom_gradients"):
      arguments.check_bool(name, getattr(self, name))
    if self.training is not None:
      arguments.check_bool("training", self.training)
    _check_batch_norm_momentum(self.batch_norm_momentum)
    essential = contract.ESSENTIAL_COLLECTIONS.intersection(
      self.drop_collections
    )
    if essential:
      raise ValueError(
        f"{called('drop_collections')} has {sorted(essential)}: a module "
        "without would have no weights, or could not be fine-tuned (F3, F4). "
        "Leave them out"
      )

  @property
  def interface(self) -> Interface:
    """What consumers see of it."""
    return Interface(
      default_task=self.default_task,
      height=self.height,
      width=self.width,
      variable_size=self.variable_size,
      bn_hparams=self.batch_norm_momentum,
      labels=self.labels,
      preprocessing=preprocessing.describe(self.preprocess),
    )


def _check_batch_norm_momentum(value: Any) -> None:
  if arguments.is_number(value):
    in_range = "" if 0 <= value <= 1 else ", and momentum lies in [0, 1]"
    raise ValueError(
      f"{called('batch_norm_momentum')} is {arguments.shown(value)}: expected "
      f"True or False{in_range}. Consumers give the momentum; 0.99 holds where "
      "they give none (H1)"
    )
  arguments.check_bool("batch_norm_momentum", value)


def _check_arch_name(value: Any) -> None:
  expected = "a name without slashes or blanks around it, such as 'InceptionV3'"
  name = arguments.check_name("arch_name", value, expected)
  if name != name.strip("/ "):
    raise arguments.wrong_value("arch_name", value, expected)
