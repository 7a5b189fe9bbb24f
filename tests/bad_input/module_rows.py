"""The arguments of what takes a finished module, or makes one of a spec."""

from __future__ import annotations

import math

import numpy as np

import hub_image_export as hie
from hub_image_export.compat import hub, tf
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
from tests.models import CLASSES, FEATURES

_NOT_PATHS = [None, *values.NOT_PATHS]
_SCALE_AND_SHIFT = ["scale", "shift"]


def _path(call: str, argument: str, **others) -> list[Row]:
  """What is wrong wherever the path of something local is expected."""
  return [
    *wrong_type(call, argument, _NOT_PATHS, "the path of", **others),
    *refused(call, argument, values.BAD_PATHS, "the path of", **others),
  ]


def _weights(call: str, **others) -> list[Row]:
  """The arguments about checkpoints."""
  same = Made("lambda", lambda place: lambda name: name)
  one = Made("lambda", lambda place: lambda name: "scale")
  number = Made("lambda", lambda place: lambda name: 3)
  return [
    *wrong_type(call, "name_transform_fn", [3, "", b"f", True, [], str, {}],
                "a function on names", **others),
    *wrong_value(call, "name_transform_fn", [number], "'scale' is 3",
                 exception=TypeError, **others),
    *accepted(call, "name_transform_fn", [None, same], **others),
    *wrong_type(call, "checkpoint_prefix", [None, *values.NOT_STRINGS],
                "a string", **others),
    *wrong_value(call, "checkpoint_prefix", ["no/such"], "2 variables",
                 exception=hie.WeightsError, **others),
    *refused(call, "checkpoint_prefix", [values.SURROGATE], "surrogates", **others),
    *accepted(call, "checkpoint_prefix", ["", "/"], **others),
    *wrong_type(call, "checkpoint_map",
                [*values.NOT_MAPPINGS, *values.BAD_PAIRS], "dict", **others),
    *wrong_value(call, "checkpoint_map",
                 [{"[": "a"}, {"(.*)": r"\9"}, {"(.*)": r"\g<no>"}],
                 "a regular expression", **others),
    *wrong_value(call, "checkpoint_map", [{"no_such": "a"}], "is no variable",
                 exception=hie.WeightsError, **others),
    *accepted(call, "checkpoint_map", [None, {}, {"s(.*)": r"s\1"}], **others),
    *wrong_type(call, "ema", values.NOT_BOOLS, "True or False", **others),
    *wrong_value(call, "ema", [True], "no moving average",
                 exception=hie.WeightsError, **others),
    *wrong_type(call, "strict", values.NOT_BOOLS, "True or False", **others),
    *accepted(call, "strict", [True], **others),
    Row(call, "name_transform_fn", "value", one, hie.WeightsError,
        ("would be the value of",), others),
  ]  # fmt: skip


def _checkpoint_path(call: str) -> list[Row]:
  name = "checkpoint_path"
  not_paths = [value for value in _NOT_PATHS if value is not None]
  return [
    *wrong_type(call, name, not_paths, "the path of a checkpoint"),
    *wrong_value(call, name, [*values.BAD_PATHS, *values.REMOTE], "a checkpoint"),
    *wrong_value(call, name, ["/no/such", file("plain"), file("file")],
                 "expected the prefix", exception=hie.WeightsError),
    *wrong_value(call, name, [file("damaged")], "no index",
                 exception=hie.WeightsError),
    *accepted(call, name, [*values.paths("weights.npz"), file("module")]),
  ]  # fmt: skip


def _export() -> list[Row]:
  call = "ImageModuleSpec.export"
  weights = file("weights.npz")
  exists = dict(exception=hie.ExportError)
  return [
    *wrong_type(call, "path", _NOT_PATHS, "directory"),
    *wrong_value(call, "path", values.REMOTE, "not local"),
    *refused(call, "path", values.BAD_PATHS, "directory"),
    *wrong_value(call, "path", [file("module"), file("file")], "exists", **exists),
    *wrong_value(call, "path", ["/tmp/" + "x" * 300], "name too long", **exists),
    *wrong_value(call, "path", [file("plain")], "no module", overwrite=True,
                 **exists),
    *_switch(call, "overwrite"),
    *_switch(call, "verify"),
    *_switch(call, "check"),
    *_checkpoint_path(call),
    *_weights(call, checkpoint_path=weights),
    *wrong_value(call, "name_transform_fn", [Made("f", lambda place: id)],
                 "without checkpoint_path"),
    *wrong_value(call, "ema", [True, False], "without checkpoint_path"),
    *wrong_type(call, "emma", [True], "did you mean ema"),
  ]  # fmt: skip


def _switch(call: str, argument: str) -> list[Row]:
  return wrong_type(call, argument, values.NOT_BOOLS, "True or False")


def _module_function() -> list[Row]:
  call = "ModuleFunction"
  spec = Made("no weights", lambda place: hub.create_module_spec(_plain_module))
  return [
    *_path(call, "module"),
    *wrong_type(call, "module", [spec], "a module with weights"),
    *_no_module(call, "module"),
    *accepted(call, "module", values.paths("module")),
    *accepted(call, "module", [Made("spec", lambda place: place.spec)]),
    *wrong_type(call, "outputs", [*values.NOT_MAPPINGS, *values.BAD_PAIRS], "dict"),
    *wrong_value(call, "outputs", [{}], "at least one"),
    *wrong_value(call, "outputs", [{"default": "scal"}], "has no signature"),
    *accepted(call, "outputs", [None, {"default": "default"}]),
    *wrong_type(call, "tasks", [*values.NOT_LISTS, *values.BAD_ITEMS], "strings"),
    *wrong_value(call, "tasks", [("bogus",), [CLASSES, "bogus"]], "expected one of"),
    *accepted(call, "tasks", [None, (), (CLASSES,), [FEATURES]]),
    *_call_module_function("ModuleFunction.__call__"),
  ]  # fmt: skip


def _call_module_function(call: str) -> list[Row]:
  eight_bits = Made("uint8", lambda place: tf.zeros([1, 12, 10, 3], tf.uint8))
  vector = Made("vector", lambda place: tf.zeros([3]))
  momentum = "batch_norm_momentum"
  return [
    *wrong_type(call, "images", [None, 3, "text", [[1.0]], eight_bits,
                                 np.zeros([1, 12, 10, 3])], "a float32 tensor"),
    *wrong_value(call, "images", [vector], "cannot be used on images"),
    *wrong_type(call, "is_training", values.NOT_BOOLS, "True or False"),
    *accepted(call, "is_training", [True, False]),
    *wrong_type(call, momentum, ["text", True, [0.9], {}, b"x"], "a number"),
    *wrong_value(call, momentum, [1.5, -0.1, math.nan], "in [0, 1]"),
    *accepted(call, momentum, [None, 0, 1, 0.9, np.float32(0.9)]),
  ]  # fmt: skip


def _plain_module() -> None:
  images = tf.compat.v1.placeholder(tf.float32, [None, 12, 10, 3])
  scale = tf.compat.v1.get_variable("scale", [])
  hub.add_signature(
    inputs={"images": images},
    outputs=tf.reduce_mean(images, [1, 2]) * scale,
  )


def _no_module(call: str, argument: str) -> list[Row]:
  return [
    *wrong_value(call, argument, ["/no/such", file("plain"), file("file")],
                 "TF1 Hub module"),
    *wrong_value(call, argument, values.REMOTE, "on this machine"),
    *wrong_value(call, argument, [file("damaged")], "cannot be read"),
  ]  # fmt: skip


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
    *accepted(call, "path", ["/no/such", "gs://bucket/x", *values.paths("file")]),
    *_switch(call, "static"),
    *accepted(call, "static", [True, False]),
    *wrong_type(call, "timeout", ["5", b"5", None, True, [5], {}, 1j],
                "a number of seconds"),
    *wrong_value(call, "timeout", [0, -1, 0.0, -0.5, math.nan, -math.inf, 10**5000],
                 "a number of seconds > 0"),
    *accepted(call, "timeout", [1, 0.001, np.float32(5), math.inf, 1e300]),
  ]  # fmt: skip


ROWS = (
  *_export(),
  *_checkpoint_path("ImageModuleSpec.with_weights"),
  *wrong_type("ImageModuleSpec.with_weights", "checkpoint_path", [None], "path"),
  *_weights("ImageModuleSpec.with_weights"),
  *_module_function(),
  *_load_labels(),
  *_check_module(),
)  # fmt: skip
