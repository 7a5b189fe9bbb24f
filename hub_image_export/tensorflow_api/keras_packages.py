# SPDX-License-Identifier: Apache-2.0
"""Which Keras is there, what is one of its layers, and what it keeps private.

There may be several at once: Keras 3, Keras 2 within TensorFlow up to 2.15, and
tf_keras. They share no classes. What is no public API of theirs stands here,
since when it is as it is, and tests/tensorflow_api/private_test.py fails on the
installed version when that ends.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.types import Layer

_PACKAGES = ("keras", "tf_keras")

# Where saved models have what. The zip format (`.keras`, Keras 2.12 and later)
# and the attributes of HDF5 (Keras 1.0 and later) are Keras' own; it has no
# function that reads them without building the model.
CONFIG_MEMBER = "config.json"
METADATA_MEMBER = "metadata.json"
WEIGHTS_MEMBER = "model.weights.h5"
CONFIG_ATTRIBUTE = "model_config"
VERSION_KEY = "keras_version"
# The groups of HDF5 that hold the weights: of `model.save` before Keras 3, and
# of `.weights.h5` since.
WEIGHTS_GROUPS = ("model_weights/", "_layer_checkpoint_dependencies/")

# Where Keras 3 keeps the names that it has given.
_STATE = "keras.src.backend.common.global_state"
_NAMES = "object_name_uids"


def _packages() -> list[Any]:
  """The Keras packages that this process has imported by now."""
  found = [sys.modules.get(name) for name in _PACKAGES]
  return [keras for keras in found if hasattr(keras, "layers")]


def _layer_classes() -> tuple[type, ...]:
  return tuple({keras.layers.Layer: None for keras in _packages()})


def layer_classes(names: Iterable[str]) -> set[type]:
  """Layers and models by their public names, of each Keras; the functional one.

  That has no public name, and making a model to find it out would count in the
  names of the user's models. In Keras' sources since 2.4.
  """
  found = {
    getattr(place, name, None)
    for keras in _packages()
    for place in (keras.layers, keras)
    for name in names
  }
  for module in ("models.functional", "engine.functional"):
    for name in _PACKAGES:
      loaded = sys.modules.get(f"{name}.src.{module}")
      found.add(getattr(loaded, "Functional", None))
  return {cls for cls in found if isinstance(cls, type)}


def is_activation(function: Any) -> bool:
  """Whether it is one of Keras' own activation functions or layers."""
  name = getattr(function, "__name__", "")
  return type(function) in layer_classes(("ReLU", "Softmax")) or any(
    getattr(keras.activations, name, None) is function for keras in _packages()
  )


def is_layer(value: Any) -> bool:
  """Whether `value` is a Keras layer or model, of any Keras."""
  return isinstance(value, _layer_classes())


def is_model(value: Any) -> bool:
  return isinstance(value, tuple({keras.Model: None for keras in _packages()}))


def is_batch_norm(layer: Layer) -> bool:
  """Holds for all batch norm classes; they share no base class.

  Also before they are built, as those of TF1 are when they are first called.
  """
  return hasattr(layer, "momentum") and (
    hasattr(layer, "moving_mean") or hasattr(layer, "moving_mean_initializer")
  )


def is_of_keras_3(layer: Layer) -> bool:
  """Such layers do not work in a `tf.Graph`; no other Keras has `path`s."""
  return hasattr(layer, "path")


def runs_on_tensorflow(layer: Layer) -> bool:
  """Whether the layer's Keras computes with TensorFlow, not JAX or torch."""
  return all(
    keras.backend.backend() == "tensorflow"
    for keras in _packages()
    if isinstance(layer, keras.layers.Layer)
  )


def version() -> str:
  """The version of the Keras that is `tf.keras`; not all of them tell.

  The module that defines a class begins with its package, in each Keras.
  """
  package = tf.keras.Model.__module__.partition(".")[0]
  return sys.modules[package].__version__


def application_family(builder: Any) -> str:
  """The Keras file that defines an Application: "mobilenet_v2".

  Public modules of that name have the same functions, but not in all versions
  (`efficientnet_v2`). So since the first Applications, in Keras 2.0.
  """
  return getattr(builder, "__module__", "").rpartition(".")[2]


def layers_within(layer: Layer) -> list[Layer]:
  """A layer and all that are in it, of any depth.

  `Model.layers` has the outermost ones alone. Here since Keras 2.4.
  """
  flatten = getattr(layer, "_flatten_layers", None)
  return list(flatten()) if flatten else [layer]


@contextlib.contextmanager
def calls_go_through(around: Callable[..., Any]) -> Iterator[None]:
  """Lets `around(original, layer, *args, **kwargs)` make the calls of layers.

  Keras has no hook for calls. All layers inherit `Layer.__call__`, and Python
  looks it up in the class: that of Keras' base classes is replaced for the
  duration of the context, in the whole process. So since Keras 1.0.
  """

  def replacement(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def call(layer: Layer, *args: Any, **kwargs: Any) -> Any:
      return around(original, layer, *args, **kwargs)

    return call

  with _replaced("__call__", replacement):
    yield


@contextlib.contextmanager
def spectral_norms_converted() -> Iterator[None]:
  """Lets a layer of Keras 2 ask a tensor with `if` while it is traced.

  `SpectralNormalization.normalize_weights` does (Keras 2.13 to 2.15, tf_keras).
  Autograph leaves Keras alone by its rules, but not a function that it is
  given. The class is changed for the duration of the context.
  """
  originals = [
    (cls, cls.normalize_weights)
    for cls in layer_classes(["SpectralNormalization"])
    if hasattr(cls, "normalize_weights")
  ]

  def converted(original: Callable[..., Any]) -> Callable[..., Any]:
    return lambda layer: _converted(original)(layer)

  for cls, original in originals:
    cls.normalize_weights = converted(original)  # type: ignore[attr-defined]
  try:
    yield
  finally:
    for cls, original in originals:
      cls.normalize_weights = original  # type: ignore[attr-defined]


@functools.cache
def _converted(function: Callable[..., Any]) -> Callable[..., Any]:
  return tf.autograph.to_graph(function)


@contextlib.contextmanager
def weights_take_at_most(most: int) -> Iterator[None]:
  """Raises ValueError where layers make weights of more bytes altogether.

  A file that describes layers of any size would fill the memory before Keras
  looks for their values in it. All layers make their weights by the method
  `add_weight`, which is public: it is replaced, like that for calls above.
  """
  left = most

  def replacement(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def add_weight(layer: Layer, *args: Any, **kwargs: Any) -> Any:
      nonlocal left
      shapes = (a for a in args if isinstance(a, (list, tuple)))
      shape = kwargs.get("shape") or next(shapes, ())
      sizes = [int(n) for n in tf.TensorShape(shape).as_list() if n]
      left -= 4 * math.prod(sizes)
      if left < 0:
        raise ValueError(
          f"the layer {layer.name!r} has weights of shape {tuple(sizes)}: "
          f"expected at most {most} bytes in all, after the size of the file"
        )
      return original(layer, *args, **kwargs)

    return add_weight

  with _replaced("add_weight", replacement):
    yield


@contextlib.contextmanager
def _replaced(
  method: str, replacement: Callable[[Callable[..., Any]], Any]
) -> Iterator[None]:
  originals = [(cls, getattr(cls, method)) for cls in _layer_classes()]
  for cls, original in originals:
    setattr(cls, method, replacement(original))
  try:
    yield
  finally:
    for cls, original in originals:
      setattr(cls, method, original)


def _having(attribute: str, layers: Iterable[Layer]) -> list[Any]:
  """Those of the layers, at any depth, that have an attribute."""
  return [
    layer
    for root in layers
    for layer in layers_within(root)
    if hasattr(layer, attribute)
  ]


@contextlib.contextmanager
def seeds_kept(layers: Iterable[Layer]) -> Iterator[None]:
  """Leaves the seeds that random layers of Keras 2 count up as they were.

  They are numbers in Python, so from TensorFlow 2.6 on; Keras 3 has variables.
  """
  drawing = _having("_random_generator", layers)
  generators = [layer._random_generator for layer in drawing]
  seeds = [getattr(generator, "_seed", None) for generator in generators]
  try:
    yield
  finally:
    for generator, seed in zip(generators, seeds):
      if seed is not None:
        generator._seed = seed


@contextlib.contextmanager
def masks_forgotten(layers: Iterable[Layer]) -> Iterator[None]:
  """Lets cells of recurrent layers draw their dropout masks anew.

  They keep a mask for the steps of one call. Of eager calls ConvLSTM2D of
  Keras 2 keeps it for the next one, too, which may be one for inference.
  """
  cells = _having("reset_recurrent_dropout_mask", layers)

  def forget() -> None:
    for cell in cells:
      cell.reset_dropout_mask()
      cell.reset_recurrent_dropout_mask()

  forget()
  try:
    yield
  finally:
    forget()


def layer_names() -> dict[str, int]:
  """The names that Keras 3 has given to layers without one, with counts.

  It keeps them for each thread, so since Keras 3.0; Keras 2 for each graph.
  """
  state = sys.modules.get(_STATE)
  names = state and state.get_global_attribute(_NAMES)
  return dict(names or {})


@contextlib.contextmanager
def layer_names_from(names: dict[str, int]) -> Iterator[None]:
  """Lets Keras 3 go on after `names`; what it gives inside is forgotten."""
  state = sys.modules.get(_STATE)
  if state is None:
    yield
    return
  own = state.get_global_attribute(_NAMES)
  counts = collections.defaultdict(int, names)
  state.set_global_attribute(_NAMES, counts)
  try:
    yield
  finally:
    state.set_global_attribute(_NAMES, own)
