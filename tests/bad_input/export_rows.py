"""The arguments of the methods of a spec."""

from __future__ import annotations

import hub_image_export as hie
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

_NOT_PATHS = [None, *values.NOT_PATHS]


def _weights(call: str, **others) -> list[Row]:
  """The arguments about checkpoints."""
  same = Made("lambda", lambda place: lambda name: name)
  one = Made("lambda", lambda place: lambda name: "scale")
  number = Made("lambda", lambda place: lambda name: 3)
  return [
    *wrong_type(
      call,
      "name_transform_fn",
      [3, "", b"f", True, [], str, {}],
      "a function on names",
      **others,
    ),
    *wrong_value(
      call,
      "name_transform_fn",
      [number],
      "'scale' is 3",
      exception=TypeError,
      **others,
    ),
    *accepted(call, "name_transform_fn", [None, same], **others),
    *wrong_type(
      call,
      "checkpoint_prefix",
      [None, *values.NOT_STRINGS],
      "a string",
      **others,
    ),
    *wrong_value(
      call,
      "checkpoint_prefix",
      ["no/such"],
      "2 variables",
      exception=hie.WeightsError,
      **others,
    ),
    *refused(
      call, "checkpoint_prefix", [values.SURROGATE], "surrogates", **others
    ),
    *accepted(call, "checkpoint_prefix", ["", "/"], **others),
    *wrong_type(
      call,
      "checkpoint_map",
      [*values.NOT_MAPPINGS, *values.BAD_PAIRS],
      "dict",
      **others,
    ),
    *wrong_value(
      call,
      "checkpoint_map",
      [{"[": "a"}, {"(.*)": r"\9"}, {"(.*)": r"\g<no>"}],
      "a regular expression",
      **others,
    ),
    *wrong_value(
      call,
      "checkpoint_map",
      [{"no_such": "a"}],
      "is no variable",
      exception=hie.WeightsError,
      **others,
    ),
    *accepted(call, "checkpoint_map", [None, {}, {"s(.*)": r"s\1"}], **others),
    *wrong_type(call, "ema", values.NOT_BOOLS, "True or False", **others),
    *wrong_value(
      call,
      "ema",
      [True],
      "no moving average",
      exception=hie.WeightsError,
      **others,
    ),
    *wrong_type(call, "strict", values.NOT_BOOLS, "True or False", **others),
    *accepted(call, "strict", [True], **others),
    Row(
      call,
      "name_transform_fn",
      "value",
      one,
      hie.WeightsError,
      ("would be the value of",),
      others,
    ),
  ]


def _checkpoint_path(call: str) -> list[Row]:
  name = "checkpoint_path"
  not_paths = [value for value in _NOT_PATHS if value is not None]
  return [
    *wrong_type(call, name, not_paths, "the path of a checkpoint"),
    *wrong_value(
      call, name, [*values.BAD_PATHS, *values.REMOTE], "a checkpoint"
    ),
    *wrong_value(
      call,
      name,
      ["/no/such", file("plain"), file("file")],
      "expected the prefix",
      exception=hie.WeightsError,
    ),
    *wrong_value(
      call, name, [file("damaged")], "no index", exception=hie.WeightsError
    ),
    *accepted(call, name, [*values.paths("weights.npz"), file("module")]),
  ]


def _export() -> list[Row]:
  call = "ImageModuleSpec.export"
  weights = file("weights.npz")
  exists = dict(exception=hie.ExportError)
  return [
    *wrong_type(call, "path", _NOT_PATHS, "directory"),
    *wrong_value(call, "path", values.REMOTE, "not local"),
    *refused(call, "path", values.BAD_PATHS, "directory"),
    *wrong_value(
      call, "path", [file("module"), file("file")], "exists", **exists
    ),
    *refused(call, "path", values.too_long(), "at most", "bytes"),
    *wrong_value(
      call, "path", [file("plain")], "no module", overwrite=True, **exists
    ),
    *_switch(call, "overwrite"),
    *_switch(call, "verify"),
    *_switch(call, "check"),
    *_checkpoint_path(call),
    *_weights(call, checkpoint_path=weights),
    *wrong_value(
      call,
      "name_transform_fn",
      [Made("f", lambda place: id)],
      "without checkpoint_path",
    ),
    *wrong_value(call, "ema", [True, False], "without checkpoint_path"),
  ]


def _switch(call: str, argument: str) -> list[Row]:
  return wrong_type(call, argument, values.NOT_BOOLS, "True or False")


ROWS = (
  *_export(),
  *_checkpoint_path("ImageModuleSpec.with_weights"),
  *wrong_type(
    "ImageModuleSpec.with_weights", "checkpoint_path", [None], "path"
  ),
  *_weights("ImageModuleSpec.with_weights"),
)
