# SPDX-License-Identifier: Apache-2.0
"""The arguments of the builders."""

from __future__ import annotations

import math
import os

import numpy as np

import hub_image_export as hie
from tests.bad_input import values
from tests.bad_input.row import (
  Made,
  Row,
  Values,
  beyond,
  file,
  good,
  rows,
  types,
  wrong,
)
from tests.support.models import CLASSES, FEATURES

BUILDERS = (
  "make_feature_vector_module",
  "make_classification_module",
  "make_image_module",
)
# The widest image of ten rows that has less than 2**31 numbers.
_WIDEST = (2**31 - 1) // 3 // 10
_NOT_SOURCES = [None, 3, True, b"x", [], {}, os, object]
_BAD_NUMBERS = [
  ("0.5", 0.5), (0.5, None), (True, 0.5), ([0.5, 0.5], 0.5), (0.5, [[1.0]]),
  (math.nan, 0.5), (0.5, math.inf), (1e39, 1.0), (10**5000, 1),
]  # fmt: skip
_NOT_PREPROCESS = [3, True, b"tf", {"mean": 0.5}, {0.5, 0.1}, str]
_NOT_LABELS = [3, True, b"abc", bytearray(b"abc"), {"a", "b", "c"}, dict]


def _all_builders(call: str) -> list[Row]:
  """What all builders take."""
  failed = hie.SourceError
  return rows(
    call,
    {
      "fn": [
        types([*_NOT_SOURCES, values.GENERATOR, values.Bytes()], "expected"),
        wrong(
          [*values.BAD_PATHS, "/no/such", *values.REMOTE],
          "expected",
          "SavedModel",
        ),
        wrong([file("plain"), file("file")], "saved_model.pb"),
        wrong([file("damaged")], "cannot be loaded", exception=failed),
      ],
      "height": [*_sizes(), *_widest(width=10)],
      "width": [*_sizes(), *_widest(height=10)],
      "arch_name": [
        types(values.NOT_STRINGS, "expected a name"),
        wrong(["", " ", "Net/", "/Net", " Net", "a\nb", "a\0b"], "InceptionV3"),
        beyond([values.SURROGATE, "/" * 100_000], "expected"),
        good([None, "Größe", values.Text("Net"), "A/B"]),
      ],
      "preprocess": [
        types([*_NOT_PREPROCESS, values.GENERATOR], "expected None", "torch"),
        wrong(
          ["torche", "", "TF", values.LONG, values.SURROGATE], "expected one of"
        ),
        wrong([(), (0.5,), [0.5, 0.5, 0.5]], "(mean, std)"),
        wrong(_BAD_NUMBERS, "finite number"),
        wrong([(0.5, 0.0), (0.5, -0.5), (0.5, [1.0, 0.0, 1.0])], "zero"),
        wrong([(127.5, 127.5), (-1, 1)], "255"),
        wrong(
          [lambda images: None, lambda images: "text"],
          "returned",
          exception=TypeError,
        ),
        wrong(
          [lambda: 3, lambda images: images + "text"],
          "raised",
          exception=failed,
        ),
        good([None, "tf", values.Text("tf"), (0, 1), [1.0, 1e-30]]),
      ],
      "output": [
        types(values.NOT_STRINGS, "the name of an output"),
        wrong(["", " ", "a\nb", values.SURROGATE], "the name of an output"),
        *_chosen(call),
        good([None]),
      ],
      "endpoints": [
        *_lists(),
        wrong([["konv"]], "there is no layer", late=True),
        good([None, [], (), set(), frozenset()]),
      ],
      "drop_collections": [
        *_lists(),
        types([None], "list of strings"),
        wrong(
          [["variables"], ["update_ops"], {"regularization_losses"}],
          "Leave them out",
        ),
        good([[], {"losses"}, ("no_such",)]),
      ],
      **_switches(),
    },
  )


def _chosen(call: str) -> list[Values]:
  network = Made("network", lambda place: place.network)
  if call == "make_image_module":
    return [wrong(["1"], "feature_layer", "several tasks")]
  return [
    wrong(["1", "hidden"], "'default' (None, 3)", late=True, fn=network),
    good(["default"], fn=network),
  ]


def _sizes(not_sizes: list = values.NOT_SIZES) -> list[Values]:
  expected = "positive integer"
  return [types(not_sizes, expected), wrong(values.BAD_SIZES, expected)]


def _widest(**other: int) -> list[Values]:
  return [
    beyond([_WIDEST + 1], "2**31", **other),
    good([*values.GOOD_SIZES, _WIDEST], **other),
  ]


def _lists() -> list[Values]:
  return [
    types([*values.NOT_LISTS, *values.BAD_ITEMS], "list of strings"),
    beyond([[values.SURROGATE]], "lone surrogates"),
  ]


def _switches() -> dict[str, list[Values]]:
  is_none = [value for value in values.NOT_BOOLS if value is not None]
  momentum = [v for v in values.NOT_BOOLS if not isinstance(v, (int, float))]
  either = "True or False"
  return {
    "variable_size": [types(values.NOT_BOOLS, either), good([True])],
    "allow_custom_gradients": [types(values.NOT_BOOLS, either)],
    "training": [
      types(is_none, either),
      wrong([True], "is_training", "F2", late=True),
      good([None, False]),
    ],
    "batch_norm_momentum": [
      types(momentum, either),
      wrong([0, 1, 0.9, 0.0], "0.99 holds", "H1"),
      beyond([1.5, -0.1, math.nan, 10**5000], "[0, 1]"),
      wrong([True], "H1", late=True),
    ],
  }


def _classes(call: str) -> list[Row]:
  """What builders of classifiers take."""
  a_list = ["a", "b", "c"]
  not_sizes = [value for value in values.NOT_SIZES if value is not None]
  return rows(
    call,
    {
      "num_classes": [
        *_sizes(not_sizes),
        wrong([2, 4], "3 scores", "1001", late=True),
        beyond([2**31], "2**31"),
        good([3, None]),
      ],
      "labels": [
        types([*_NOT_LABELS, values.GENERATOR, values.Bytes()], "expected"),
        wrong([[], ()], "there are none"),
        wrong(
          [
            ["a", 3, "c"],
            ["a", None, "c"],
            [b"\xff"],
            np.eye(3).tolist(),
            [["a"]],
          ],
          "expected a string",
        ),
        wrong([{1: "a"}, {"a": 1}, {"a": "b"}, {0: "a", 2: "c"}], "indices 0"),
        wrong([["a", "", "c"], ["a", " ", "c"]], "1 is blank"),
        wrong([["a", "b\nc", "d"], [" a", "b", "c"]], "one line"),
        wrong([[values.SURROGATE, "b", "c"]], "label 0"),
        wrong([[3] * 10_000], "more)"),
        wrong(values.BAD_PATHS, "text or JSON file"),
        wrong(["/no/such", file("plain")], "file"),
        wrong([file("latin")], "not UTF-8"),
        wrong([file("empty")], "label 0 is blank"),
        wrong([["a", "b"]], "2 labels", "3 classes", late=True),
        good([None, a_list, tuple(a_list), *values.paths("labels")]),
        good([["a", "b", "a"], {0: "a", 1: "b", 2: "c"}]),
      ],
    },
  )


def _feature_layer(call: str) -> list[Row]:
  network = Made("network", lambda place: place.network)
  feature_layer = [
    types(values.NOT_STRINGS, "Keras layer"),
    wrong(["", " ", "a\nb", values.SURROGATE], "Keras layer"),
    wrong(["konv"], "no layer", late=True, fn=network),
    good([None]),
  ]
  return rows(call, {"feature_layer": feature_layer})


def _default_task() -> list[Row]:
  classes = Made(
    "one task", lambda place: lambda x: {CLASSES: place.network(x)}
  )
  default_task = [
    types([None, *values.NOT_STRINGS], "image_classification"),
    wrong(
      ["", "default", "Image_Classification", values.LONG], "expected one of"
    ),
    wrong(["image_clasification"], "Did you mean 'image_classification'"),
    wrong([FEATURES], "expected it among them", late=True, fn=classes),
    good([CLASSES, FEATURES, values.Text(CLASSES)]),
  ]
  return rows("make_image_module", {"default_task": default_task})


ROWS = (
  *(row for call in BUILDERS for row in _all_builders(call)),
  *(row for call in BUILDERS[1:] for row in _classes(call)),
  *(row for call in BUILDERS[::2] for row in _feature_layer(call)),
  *_default_task(),
)
