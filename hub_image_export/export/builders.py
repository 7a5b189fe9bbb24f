# SPDX-License-Identifier: Apache-2.0
"""The menu: one function for each kind of image module."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hub_image_export import contract
from hub_image_export.export.assembly import build
from hub_image_export.export.order import Options, Order
from hub_image_export.export.spec import ImageModuleSpec
from hub_image_export.sources.preprocessing import Preprocess

if TYPE_CHECKING:
  from typing_extensions import Unpack


def make_feature_vector_module(
  fn: Any,
  height: int,
  width: int,
  *,
  arch_name: str | None = None,
  preprocess: Preprocess = None,
  output: str | None = None,
  endpoints: Sequence[str] | None = None,
  feature_layer: str | None = None,
  variable_size: bool = False,
  training: bool | None = None,
  batch_norm_momentum: bool = False,
  drop_collections: Sequence[str] = (),
  allow_custom_gradients: bool = False,
) -> ImageModuleSpec:
  """Makes a module that maps images to feature vectors (C2 to C5).

  What consumers call, and what they get:

      m(images)                  # float32 [batch_size, num_features]
      m(dict(images=images), signature="image_feature_vector", as_dict=True)
                                 # {"default": the same, and the endpoints}

  Args:
    fn: a Keras model; a TF1 graph function, a `tf.Module` or any other
      callable on images; a loaded SavedModel, or the path of one; an existing
      TF1 Hub module (`hub.load_module_spec(path)`). It returns
      `[batch_size, num_features]`, or a pair of that and a dict of endpoints,
      or a dict with that as `"default"`. If it takes `is_training` or
      `training`, the module gets a variant for training (F2).
    height: expected height of the images, in pixels (C15, C16).
    width: likewise.
    arch_name: prefix for the names of all endpoints (C10), `"InceptionV3"`
      say. None leaves them as they are.
    preprocess: what the network wants, given RGB in [0, 1] (C12): None (that
      as it comes), "tf", "torch", "caffe", "0-255", a pair (mean, std) per
      channel, or a function on the images.
    output: which of several outputs is meant, where `fn` does not say: a key
      of the dict that it returns, a position in the list ("0"), the name of a
      Keras model's output, or a signature of a SavedModel ("serving_default",
      "serving_default/scores") or module.
    endpoints: names of Keras layers whose outputs consumers may have, too.
    feature_layer: the Keras layer that yields the feature vector, where that
      is not what `fn` returns; a feature map is averaged over space (C4).
    variable_size: accept images of any size (C15). The number of features must
      not depend on it (C3). Off by default: few networks are made for it.
    training: True asks for a training variant, and fails if it would be the
      same; False forbids it; None makes one if it differs (F2).
    batch_norm_momentum: add signatures with the input `batch_norm_momentum`,
      and 0.99 where consumers give none (H1). Batch norm layers take it; in
      code without layers it takes the place of the constant decay of moving
      averages. Off by default: all keep the momentum that they have.
    drop_collections: collections that a TF1 function fills, that a module
      cannot have, and that consumers would miss (`"losses"`, say). Those of
      endpoints, counters and variables are left out by themselves.
    allow_custom_gradients: accept that custom gradients which differ from
      TensorFlow's own are lost: they exist in this process only (F5).

  Returns:
    A `hub.ModuleSpec` that knows its weights: `spec.export(path)`.

  Raises:
    TypeError: an argument is of the wrong type.
    ValueError: an argument is wrong, or what `fn` does breaks the contract.
    SourceError: `fn` itself raised.
  """
  options: Options = {
    "arch_name": arch_name,
    "preprocess": preprocess,
    "output": output,
    "endpoints": endpoints,
    "variable_size": variable_size,
    "training": training,
    "batch_norm_momentum": batch_norm_momentum,
    "drop_collections": drop_collections,
    "allow_custom_gradients": allow_custom_gradients,
  }
  order = Order.of(
    height,
    width,
    options,
    tasks=(contract.IMAGE_FEATURE_VECTOR,),
    default_task=contract.IMAGE_FEATURE_VECTOR,
    feature_layer=feature_layer,
  )
  return build(fn, order)


def make_classification_module(
  fn: Any,
  height: int,
  width: int,
  *,
  num_classes: int | None = None,
  labels: Any = None,
  **options: Unpack[Options],
) -> ImageModuleSpec:
  """Makes a module that maps images to the scores of classes (C6 to C8).

  What consumers call, and what they get:

      m(images)                  # logits, float32 [batch_size, num_classes]
      m(dict(images=images), signature="image_classification", as_dict=True)
                                 # {"default": the same, and the endpoints}

  A final softmax or sigmoid of the network is taken off, and the log says so:
  consumers get linear scores (C7). It may stand before reshapes and whatever
  else only moves numbers; for a softmax, if that keeps all classes of a row.
  Where it cannot be taken off (averages, products, clips), a warning tells
  what the scores of 16 images look like, and what to return instead.

  Args:
    fn: as for `make_feature_vector_module`; it returns
      `[batch_size, num_classes]`.
    height: expected height of the images, in pixels.
    width: likewise.
    num_classes: how many classes there must be; None takes what `fn` gives.
    labels: names of the classes in order: a list or array, a dict by index
      (`{0: "cat"}`, `{"cat": 0}`), or the path of a UTF-8 text file with one
      class a line or of a JSON file with any of these (imagenet_class_index.
      json, Hugging Face's config.json). They travel with the module (C8).
    **options: as for `make_feature_vector_module`.

  Returns:
    A `hub.ModuleSpec` that knows its weights: `spec.export(path)`.

  Raises:
    TypeError: an argument is of the wrong type.
    ValueError: an argument is wrong, or what `fn` does breaks the contract.
    SourceError: `fn` itself raised.
  """
  order = Order.of(
    height,
    width,
    options,
    tasks=(contract.IMAGE_CLASSIFICATION,),
    default_task=contract.IMAGE_CLASSIFICATION,
    num_classes=num_classes,
    labels=labels,
  )
  return build(fn, order)


def make_image_module(
  fn: Any,
  height: int,
  width: int,
  *,
  default_task: str,
  feature_layer: str | None = None,
  num_classes: int | None = None,
  labels: Any = None,
  **options: Unpack[Options],
) -> ImageModuleSpec:
  """Makes a module that serves several tasks with one network (C11).

  Each task has its named signature; that of `default_task` is also served as
  `default` (C9). The endpoints stand in all of them.

  Args:
    fn: a function that returns a dict keyed by names of signatures
      (`"image_classification"`, `"image_feature_vector"`), other keys being
      endpoints, or a pair of that dict and one of endpoints; or, with
      `feature_layer`, a classifier made of Keras layers.
    height: expected height of the images, in pixels.
    width: likewise.
    default_task: the primary task, by the name of its signature.
    feature_layer: the Keras layer of a classifier that yields the feature
      vector. If it gives a feature map, that is averaged over space (C4).
    num_classes: as for `make_classification_module`.
    labels: likewise.
    **options: as for `make_feature_vector_module`.

  Returns:
    A `hub.ModuleSpec` that knows its weights: `spec.export(path)`.

  Raises:
    TypeError: an argument is of the wrong type.
    ValueError: an argument is wrong, or what `fn` does breaks the contract.
    SourceError: `fn` itself raised.
  """
  order = Order.of(
    height,
    width,
    options,
    tasks=None,
    default_task=default_task,
    feature_layer=feature_layer,
    num_classes=num_classes,
    labels=labels,
  )
  return build(fn, order)
