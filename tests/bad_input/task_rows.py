"""The arguments of builders for some tasks: classes, layers, the default."""

from __future__ import annotations

from tests.bad_input import values
from tests.bad_input.builder_rows import BUILDERS
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


def _classes(call: str) -> list[Row]:
  a_list = ["a", "b", "c"]
  not_sizes = [value for value in values.NOT_SIZES if value is not None]
  return [
    *wrong_type(call, "num_classes", not_sizes, "positive integer"),
    *wrong_value(call, "num_classes", values.BAD_SIZES, "positive integer"),
    *wrong_value(call, "num_classes", [2, 4], "3 scores", "1001", late=True),
    *refused(call, "num_classes", [2**31], "2**31"),
    *accepted(call, "num_classes", [3, None]),
    *wrong_type(
      call,
      "labels",
      [
        3,
        True,
        b"abc",
        bytearray(b"abc"),
        {"a": 1},
        {"a", "b", "c"},
        values.GENERATOR,
        values.Bytes(),
      ],
      "expected",
    ),
    *wrong_value(call, "labels", [[], ()], "there are none"),
    *wrong_value(
      call,
      "labels",
      [["a", 3, "c"], ["a", None, "c"], [b"a"]],
      "expected a string",
    ),
    *wrong_value(
      call, "labels", [["a", "", "c"], ["a", " ", "c"]], "1 is blank"
    ),
    *wrong_value(
      call, "labels", [["a", "b\nc", "d"], [" a", "b", "c"]], "one line"
    ),
    *wrong_value(call, "labels", [["a", "b", "a"]], "labels 0 and 2"),
    *wrong_value(call, "labels", [[values.SURROGATE, "b", "c"]], "label 0"),
    *wrong_value(call, "labels", [["a"] * 10_000, [3] * 10_000], "more)"),
    *wrong_value(call, "labels", values.BAD_PATHS, "text file"),
    *wrong_value(call, "labels", ["/no/such", file("plain")], "file"),
    *wrong_value(call, "labels", [file("latin")], "not UTF-8"),
    *wrong_value(call, "labels", [file("empty")], "label 0 is blank"),
    *wrong_value(
      call, "labels", [["a", "b"]], "2 labels", "3 classes", late=True
    ),
    *accepted(
      call, "labels", [None, a_list, tuple(a_list), *values.paths("labels")]
    ),
  ]


def _feature_layer(call: str) -> list[Row]:
  return [
    *wrong_type(call, "feature_layer", values.NOT_STRINGS, "Keras layer"),
    *wrong_value(
      call, "feature_layer", ["", " ", "a\nb", values.SURROGATE], "Keras layer"
    ),
    *wrong_value(
      call,
      "feature_layer",
      ["konv"],
      "no layer",
      late=True,
      fn=Made("network", lambda place: place.network),
    ),
    *accepted(call, "feature_layer", [None]),
  ]


def _default_task() -> list[Row]:
  call, name = "make_image_module", "default_task"
  classes = Made(
    "one task", lambda place: lambda x: {CLASSES: place.network(x)}
  )
  return [
    *wrong_type(
      call, name, [None, *values.NOT_STRINGS], "image_classification"
    ),
    *wrong_value(
      call,
      name,
      ["", "default", "Image_Classification", values.LONG],
      "expected one of",
    ),
    *wrong_value(
      call, name, ["image_clasification"], "Did you mean 'image_classification'"
    ),
    *wrong_value(
      call, name, [FEATURES], "expected it among them", late=True, fn=classes
    ),
    *accepted(call, name, [CLASSES, FEATURES, values.Text(CLASSES)]),
  ]


ROWS = (
  *(row for call in BUILDERS[1:] for row in _classes(call)),
  *(row for call in BUILDERS[::2] for row in _feature_layer(call)),
  *_default_task(),
)
