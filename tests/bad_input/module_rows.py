"""The arguments of what takes a finished module."""

from __future__ import annotations

import math

import numpy as np

from hub_image_export.tensorflow_api.compat import hub, tf
from tests.bad_input import values
from tests.bad_input.row import (
  Made,
  Row,
  accepted,
  file,
  refused,
  wrong_type,
  wrong_value,
)
from tests.support.models import CLASSES, FEATURES

_NOT_PATHS = [None, *values.NOT_PATHS]


def _path(call: str, argument: str, **others) -> list[Row]:
  """What is wrong wherever the path of something local is expected."""
  return [
    *wrong_type(call, argument, _NOT_PATHS, "the path of", **others),
    *refused(call, argument, values.BAD_PATHS, "the path of", **others),
  ]


def _module_function() -> list[Row]:
  call = "ModuleFunction"
  spec = Made("no weights", lambda place: hub.create_module_spec(_plain_module))
  return [
    *_path(call, "module"),
    *wrong_type(call, "module", [spec], "a module with weights"),
    *_no_module(call, "module"),
    *accepted(call, "module", values.paths("module")),
    *accepted(call, "module", [Made("spec", lambda place: place.spec)]),
    *wrong_type(
      call, "outputs", [*values.NOT_MAPPINGS, *values.BAD_PAIRS], "dict"
    ),
    *wrong_value(call, "outputs", [{}], "at least one"),
    *wrong_value(call, "outputs", [{"default": "scal"}], "has no signature"),
    *accepted(call, "outputs", [None, {"default": "default"}]),
    *wrong_type(
      call, "tasks", [*values.NOT_LISTS, *values.BAD_ITEMS], "strings"
    ),
    *wrong_value(
      call, "tasks", [("bogus",), [CLASSES, "bogus"]], "expected one of"
    ),
    *accepted(call, "tasks", [None, (), (CLASSES,), [FEATURES]]),
    *_call_module_function("ModuleFunction.__call__"),
  ]


def _call_module_function(call: str) -> list[Row]:
  eight_bits = Made("uint8", lambda place: tf.zeros([1, 12, 10, 3], tf.uint8))
  vector = Made("vector", lambda place: tf.zeros([3]))
  momentum = "batch_norm_momentum"
  return [
    *wrong_type(
      call,
      "images",
      [None, 3, "text", [[1.0]], eight_bits, np.zeros([1, 12, 10, 3])],
      "a float32 tensor",
    ),
    *wrong_value(call, "images", [vector], "cannot be used on images"),
    *wrong_type(call, "is_training", values.NOT_BOOLS, "True or False"),
    *accepted(call, "is_training", [True, False]),
    *wrong_type(call, momentum, ["text", True, [0.9], {}, b"x"], "a number"),
    *wrong_value(call, momentum, [1.5, -0.1, math.nan], "in [0, 1]"),
    *accepted(call, momentum, [None, 0, 1, 0.9, np.float32(0.9)]),
  ]


def _plain_module() -> None:
  images = tf.compat.v1.placeholder(tf.float32, [None, 12, 10, 3])
  scale = tf.compat.v1.get_variable("scale", [])
  hub.add_signature(
    inputs={"images": images},
    outputs=tf.reduce_mean(images, [1, 2]) * scale,
  )


def _no_module(call: str, argument: str) -> list[Row]:
  return [
    *wrong_value(
      call,
      argument,
      ["/no/such", file("plain"), file("file")],
      "TF1 Hub module",
    ),
    *wrong_value(call, argument, values.REMOTE, "on this machine"),
    *wrong_value(call, argument, [file("damaged")], "cannot be read"),
  ]


def _switch(call: str, argument: str) -> list[Row]:
  return wrong_type(call, argument, values.NOT_BOOLS, "True or False")


def _load_labels() -> list[Row]:
  call, name = "load_labels", "module_or_spec"
  return [
    *_path(call, name),
    *_no_module(call, name),
    *accepted(call, name, values.paths("module")),
    *accepted(call, name, [Made("spec", lambda place: place.spec)]),
  ]


def _check_module() -> list[Row]:
  call = "check_module"
  return [
    *_path(call, "path"),
    *wrong_value(call, "path", [""], "empty"),
    *accepted(
      call, "path", ["/no/such", "gs://bucket/x", *values.paths("file")]
    ),
    *_switch(call, "static"),
    *accepted(call, "static", [True, False]),
    *wrong_type(
      call,
      "timeout",
      ["5", b"5", None, True, [5], {}, 1j],
      "a number of seconds",
    ),
    *wrong_value(
      call,
      "timeout",
      [0, -1, 0.0, -0.5, math.nan, -math.inf, 10**5000],
      "a number of seconds > 0",
    ),
    *accepted(call, "timeout", [1, 0.001, np.float32(5), math.inf, 1e300]),
  ]


ROWS = (
  *_module_function(),
  *_load_labels(),
  *_check_module(),
)
