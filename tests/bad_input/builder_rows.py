"""The arguments of the builders."""

from __future__ import annotations

import math
import os

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

BUILDERS = (
  "make_feature_vector_module",
  "make_classification_module",
  "make_image_module",
)
# The widest image of ten rows that has less than 2**31 numbers.
_WIDEST = (2**31 - 1) // 3 // 10


def _function(make) -> Made:
  return Made("function", lambda place: make(place.network))


def _all_builders(call: str) -> list[Row]:
  """What all builders take."""
  return [
    *wrong_type(
      call,
      "fn",
      [
        None,
        3,
        True,
        b"x",
        [],
        {},
        os,
        object,
        values.GENERATOR,
        values.Bytes(),
      ],
      "expected",
    ),
    *wrong_value(
      call,
      "fn",
      [*values.BAD_PATHS, "/no/such", *values.REMOTE],
      "expected",
      "SavedModel",
    ),
    *wrong_value(call, "fn", [file("plain"), file("file")], "saved_model.pb"),
    *wrong_value(
      call,
      "fn",
      [file("damaged")],
      "cannot be loaded",
      exception=hie.SourceError,
    ),
    *_sizes(call, "height", width=10),
    *_sizes(call, "width", height=10),
    *wrong_type(call, "arch_name", values.NOT_STRINGS, "expected a name"),
    *wrong_value(
      call,
      "arch_name",
      ["", " ", "Net/", "/Net", " Net", "a\nb", "a\0b"],
      "InceptionV3",
    ),
    *refused(call, "arch_name", [values.SURROGATE, "/" * 100_000], "expected"),
    *accepted(call, "arch_name", [None, "Größe", values.Text("Net"), "A/B"]),
    *_preprocess(call),
    *_lists(call, "endpoints"),
    *wrong_value(call, "endpoints", [["konv"]], "there is no layer", late=True),
    *accepted(call, "endpoints", [None, [], (), set(), frozenset()]),
    *_lists(call, "drop_collections"),
    *wrong_type(call, "drop_collections", [None], "list of strings"),
    *wrong_value(
      call,
      "drop_collections",
      [["variables"], ["update_ops"], {"regularization_losses"}],
      "Leave them out",
    ),
    *accepted(call, "drop_collections", [[], {"losses"}, ("no_such",)]),
    *_switches(call),
  ]


def _sizes(call: str, argument: str, **other: int) -> list[Row]:
  return [
    *wrong_type(call, argument, values.NOT_SIZES, "positive integer"),
    *wrong_value(call, argument, values.BAD_SIZES, "positive integer"),
    *refused(call, argument, [_WIDEST + 1], "2**31", **other),
    *accepted(call, argument, [*values.GOOD_SIZES, _WIDEST], **other),
  ]


def _preprocess(call: str) -> list[Row]:
  name = "preprocess"
  return [
    *wrong_type(
      call,
      name,
      [3, True, b"tf", {"mean": 0.5}, {0.5, 0.1}, str, values.GENERATOR],
      "expected None",
      "torch",
    ),
    *wrong_value(
      call,
      name,
      ["torche", "", "TF", values.LONG, values.SURROGATE],
      "expected one of",
    ),
    *wrong_value(call, name, [(), (0.5,), [0.5, 0.5, 0.5]], "(mean, std)"),
    *wrong_value(
      call,
      name,
      [
        ("0.5", 0.5),
        (0.5, None),
        (True, 0.5),
        ([0.5, 0.5], 0.5),
        (0.5, [[1.0]]),
        (math.nan, 0.5),
        (0.5, math.inf),
        (1e39, 1.0),
        (10**5000, 1),
      ],
      "finite number",
    ),
    *wrong_value(
      call, name, [(0.5, 0.0), (0.5, -0.5), (0.5, [1.0, 0.0, 1.0])], "zero"
    ),
    *wrong_value(call, name, [(127.5, 127.5), (-1, 1)], "255"),
    *wrong_value(
      call,
      name,
      [lambda images: None, lambda images: "text"],
      "returned",
      exception=TypeError,
    ),
    *wrong_value(
      call,
      name,
      [lambda: 3, lambda images: images + "text"],
      "raised",
      exception=hie.SourceError,
    ),
    *accepted(
      call, name, [None, "tf", values.Text("tf"), (0, 1), [1.0, 1e-30]]
    ),
  ]


def _lists(call: str, argument: str) -> list[Row]:
  return wrong_type(
    call, argument, [*values.NOT_LISTS, *values.BAD_ITEMS], "list of strings"
  ) + refused(call, argument, [[values.SURROGATE]], "lone surrogates")


def _switches(call: str) -> list[Row]:
  is_none = [value for value in values.NOT_BOOLS if value is not None]
  momentum = [v for v in values.NOT_BOOLS if not isinstance(v, (int, float))]
  return [
    *wrong_type(call, "variable_size", values.NOT_BOOLS, "True or False"),
    *wrong_type(call, "allow_custom_gradients", values.NOT_BOOLS, "True or F"),
    *wrong_type(call, "training", is_none, "True or False"),
    *wrong_value(call, "training", [True], "is_training", "F2", late=True),
    *wrong_type(call, "batch_norm_momentum", momentum, "True or False"),
    *wrong_value(
      call, "batch_norm_momentum", [0, 1, 0.9, 0.0], "0.99 holds", "H1"
    ),
    *refused(
      call, "batch_norm_momentum", [1.5, -0.1, math.nan, 10**5000], "[0, 1]"
    ),
    *wrong_value(call, "batch_norm_momentum", [True], "H1", late=True),
    *accepted(call, "training", [None, False]),
    *accepted(call, "variable_size", [True]),
  ]


ROWS = tuple(row for call in BUILDERS for row in _all_builders(call))
