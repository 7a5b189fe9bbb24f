# SPDX-License-Identifier: Apache-2.0
"""What is known of Keras Applications: pixels and sizes.

A builder is known by its family, the Keras module that defines it, so that
every member of a family is there, on any version of Keras.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable
from typing import Any

from hub_image_export import arguments
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.keras_packages import application_family

# What the members of a family take (a mode of `preprocessing`), given that
# those which can rescale their input do so (include_preprocessing=True).
_PREPROCESS_OF_FAMILY = {
  "convnext": "0-255",
  "densenet": "torch",
  "efficientnet": "0-255",
  "efficientnet_v2": "0-255",
  "inception_resnet_v2": "tf",
  "inception_v3": "tf",
  "mobilenet": "tf",
  "mobilenet_v2": "tf",
  "mobilenet_v3": "0-255",
  "nasnet": "tf",
  "regnet": "0-255",
  "resnet": "caffe",
  "resnet_rs": "0-255",
  "resnet_v2": "tf",
  "vgg16": "caffe",
  "vgg19": "caffe",
  "xception": "tf",
}

# The size of the training images, where it is not the usual one.
_USUAL_SIZE = 224
_NAMES_SHOWN = 12
_SIZES = {
  "EfficientNetB1": 240,
  "EfficientNetB2": 260,
  "EfficientNetB3": 300,
  "EfficientNetB4": 380,
  "EfficientNetB5": 456,
  "EfficientNetB6": 528,
  "EfficientNetB7": 600,
  "EfficientNetV2B1": 240,
  "EfficientNetV2B2": 260,
  "EfficientNetV2B3": 300,
  "EfficientNetV2S": 384,
  "EfficientNetV2M": 480,
  "EfficientNetV2L": 480,
  "InceptionResNetV2": 299,
  "InceptionV3": 299,
  "NASNetLarge": 331,
  "Xception": 299,
}


@dataclasses.dataclass(frozen=True)
class Application:
  """One of Keras' named architectures.

  Attributes:
    name: the builder's name, which also prefixes endpoints (C10).
    family: the Keras module that defines it, "mobilenet_v2".
    preprocess: what it takes, a mode of `preprocessing`.
    height, width: its own image size in pixels.
    builder: the function of `tf.keras.applications`.
  """

  name: str
  family: str
  preprocess: str
  height: int
  width: int
  builder: Callable[..., Any] = dataclasses.field(repr=False)


def names() -> list[str]:
  """The names of all Applications of the installed Keras, sorted."""
  return sorted(filter(is_application, dir(tf.keras.applications)))


def is_application(name: str) -> bool:
  builder = getattr(tf.keras.applications, name, None)
  return (
    name[:1].isupper()
    and callable(builder)
    and application_family(builder) in _PREPROCESS_OF_FAMILY
  )


def get(name: str) -> Application:
  """The Application of that name.

  Raises:
    TypeError: `name` is no string.
    ValueError: Keras has none of that name; the nearest names are told.
  """
  arguments.check_string("name", name)
  if not is_application(name):
    raise ValueError(
      f"the name is {arguments.shown(name)}: expected that of a Keras "
      f"Application{_suggestion(name)}"
    )
  builder = getattr(tf.keras.applications, name)
  family = application_family(builder)
  size = _SIZES.get(name, _USUAL_SIZE)
  return Application(
    name=name,
    family=family,
    preprocess=_PREPROCESS_OF_FAMILY[family],
    height=size,
    width=size,
    builder=builder,
  )


def nearest(name: str) -> list[str]:
  """Up to three names of Applications that are like this one."""
  by_lower_case = {known.lower(): known for known in names()}
  found = difflib.get_close_matches(name[:99].lower(), by_lower_case, n=3)
  return [by_lower_case[n] for n in found]


def _suggestion(name: str) -> str:
  near = nearest(name)
  if near:
    return f". Did you mean {' or '.join(near)}?"
  known = names()
  return f", one of {len(known)}: {', '.join(known[:_NAMES_SHOWN])}, …"
