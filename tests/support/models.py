# SPDX-License-Identifier: Apache-2.0
"""The registry of tiny models that the conformance tests run over.

A model listed here is held to every property in `tests/conformance`. What a
property cannot derive from the model itself stands beside it.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import inspect
from collections.abc import Callable
from typing import Any

from hub_image_export.export import builders
from tests.support import function_sources, keras_sources, saved_sources
from tests.support.keras_sources import HAS_KERAS_2, HEIGHT, WIDTH
from tests.support.live import Source

FEATURES, CLASSES = "image_feature_vector", "image_classification"


@dataclasses.dataclass(frozen=True)
class TinyModel:
  """A source, what the builder is told, and what has to come out.

  Attributes:
    make: makes a new source; gets a directory if it has a parameter.
    width: number of features or classes, by task.
    options: for the builder.
    trains: whether there is a training variant.
    updates: number of moving averages.
    penalties: number of weight penalties.
    endpoints: keys of the further outputs.
    is_random: whether training draws random numbers.
  """

  name: str
  make: Callable[..., Source]
  width: dict[str, int]
  options: dict[str, Any] = dataclasses.field(default_factory=dict)
  trains: bool = True
  updates: int = 2
  penalties: int = 0
  endpoints: tuple[str, ...] = ()
  is_random: bool = False
  height_and_width: tuple[int, int] = (HEIGHT, WIDTH)

  def __str__(self) -> str:
    return self.name

  @property
  def default_task(self) -> str:
    return next(iter(self.width))

  @property
  def variants(self) -> tuple[frozenset[str], ...]:
    train = (frozenset({"train"}),) if self.trains else ()
    return (frozenset(), *train)

  def make_source(self, directory: str) -> Source:
    takes_directory = "directory" in inspect.signature(self.make).parameters
    return self.make(directory) if takes_directory else self.make()

  def build(self, fn: Any, **more: Any) -> Any:
    """Calls the builder that suits the tasks."""
    options = {**self.options, **more}
    if len(self.width) > 1:
      options["default_task"] = self.default_task
      make = builders.make_image_module
    elif CLASSES in self.width:
      make = builders.make_classification_module
    else:
      make = builders.make_feature_vector_module
    return make(fn, *self.height_and_width, **options)


def _kinds() -> list[TinyModel]:
  k, f = keras_sources, function_sources
  tiny = {"arch_name": "Tiny"}
  return [
    TinyModel(
      "functional",
      k.functional,
      {FEATURES: 5},
      {"arch_name": "Tiny", "endpoints": ["conv", "bn"]},
      penalties=3,
      endpoints=("Tiny/bn", "Tiny/conv"),
      is_random=True,
    ),
    TinyModel("sequential", k.sequential, {FEATURES: 6}),
    TinyModel(
      "two_outputs", k.two_outputs, {FEATURES: 5}, {"output": "bounded"}
    ),
    TinyModel("subclassed", k.subclassed, {FEATURES: 3}, is_random=True),
    TinyModel(
      "subclassed_not_built",
      k.subclassed_not_built,
      {FEATURES: 3},
      is_random=True,
    ),
    TinyModel(
      "control_flow", f.control_flow, {FEATURES: 5}, trains=False, updates=0
    ),
    TinyModel("mixed_float16", k.mixed_float16, {FEATURES: 3}),
    TinyModel("frozen", k.frozen, {FEATURES: 4}),
    TinyModel("adapted", k.adapted, {FEATURES: 4}, trains=False, updates=0),
    TinyModel("softmax", k.softmax_classifier, {CLASSES: 4}),
    TinyModel("sigmoid", k.sigmoid_classifier, {CLASSES: 4}),
    TinyModel("recurrent", k.recurrent, {FEATURES: 8}, trains=False, updates=0),
    TinyModel(
      "feature_layer",
      k.classifier_with_features,
      {CLASSES: 4, FEATURES: 6},
      {"feature_layer": "map"},
    ),
    TinyModel(
      "variable_size",
      k.fully_convolutional,
      {FEATURES: 4},
      {"variable_size": True},
    ),
    TinyModel(
      "closure",
      k.closure,
      {FEATURES: 6},
      tiny,
      endpoints=("Tiny/squares",),
    ),
    TinyModel(
      "tf1",
      f.tf1,
      {FEATURES: 6},
      tiny,
      penalties=1,
      endpoints=("Tiny/conv",),
    ),
    TinyModel("tf_module", f.tf_module, {FEATURES: 5}),
    TinyModel(
      "nested_function",
      f.nested_function,
      {FEATURES: 5},
      tiny,
      endpoints=("Tiny/half",),
    ),
    TinyModel(
      "two_tasks",
      f.two_tasks,
      {CLASSES: 4, FEATURES: 5},
      tiny,
      endpoints=("Tiny/relu",),
    ),
    TinyModel(
      "inference_only", f.inference_only, {FEATURES: 5}, trains=False, updates=0
    ),
    TinyModel(
      "no_variables", f.no_variables, {FEATURES: 3}, trains=False, updates=0
    ),
    TinyModel("on_gpu", f.on_gpu, {FEATURES: 5}),
    TinyModel("builds_keras_layers", f.builds_keras_layers, {FEATURES: 4}),
    TinyModel("saved_module", saved_sources.saved_module, {FEATURES: 5}),
    TinyModel("saved_path", saved_sources.saved_path, {FEATURES: 5}),
  ]


def _kinds_of_this_line() -> list[TinyModel]:
  """Sources that only one line of TensorFlow and Keras has."""
  k, f = keras_sources, function_sources
  if HAS_KERAS_2:
    return [
      TinyModel(
        "keras_control_flow",
        k.control_flow,
        {FEATURES: 4},
        trains=False,
        updates=0,
      ),
      TinyModel("tf1_layers", f.tf1_layers, {FEATURES: 4}, penalties=1),
      TinyModel(
        "saved_by_keras",
        saved_sources.saved_by_keras,
        {FEATURES: 5},
        penalties=3,
        is_random=True,
      ),
    ]
  found = [
    TinyModel(
      "exported_by_keras",
      saved_sources.exported_by_keras,
      {FEATURES: 6},
      trains=False,
      updates=0,
    )
  ]
  if importlib.util.find_spec("tf_keras"):
    found.append(TinyModel("tf_keras", k.tf_keras_sequential, {FEATURES: 6}))
  return found


ALL = (*_kinds(), *_kinds_of_this_line())
TRAINING = tuple(model for model in ALL if model.trains)
WITH_VARIABLES = tuple(model for model in ALL if model.name != "no_variables")


def by_name(name: str) -> TinyModel:
  return next(model for model in ALL if model.name == name)
